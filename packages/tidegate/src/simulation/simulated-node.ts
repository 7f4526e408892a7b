// One node of a simulation: a real limiter with a clock of its own. It may crash, after which another begins in its
// place that knows nothing; be paused, and go on where it was; and have its clock set.

import { createLimiter } from "../create-limiter.ts";
import type { Decision } from "../decision.ts";
import type { GossipOptions } from "../gossip/gossip-options.ts";
import type { Limiter } from "../limiter.ts";
import type { Random } from "../ports/random.ts";
import type { GossipStatus } from "../ports/telemetry.ts";
import { type CheckedConfiguration, POLICY } from "./check-configurations.ts";
import { type ConnectedStore, connect, type SimulatedStore } from "./simulated-store.ts";
import { SimulatedTransport } from "./simulated-transport.ts";
import type { Request } from "./traffic.ts";
import { createLoop } from "./virtual-time.ts";

/** An answer to a request. */
export interface Answer {
  readonly request: Request;
  readonly decision: Decision;
  readonly node: SimulatedNode;
  /** When it was decided: of what waited for the store, when that did it. */
  readonly decidedUs: number;
}

/** Is told what became of requests. */
export interface Witness {
  answered(answer: Answer): void;
  lost(request: Request): void;
}

/** What a node is made of. */
export interface NodeOptions {
  /** From 0 on. */
  readonly index: number;
  readonly nodes: number;
  /** How many share its store. */
  readonly sharing: number;
  /** Where it stands. */
  readonly region: string;
  readonly configuration: CheckedConfiguration;
  readonly store: SimulatedStore;
  readonly random: Random;
  readonly skewUs: number;
  readonly witness: Witness;
}

/** A node. */
export class SimulatedNode {
  isDown = false;
  /** Whether it has learned what it must know before it is asked. */
  isReady = true;
  /** How often its clock was set. */
  steps = 0;
  /** Whether a check was begun whose promise may have to settle before time goes on. */
  isUnsettled = false;
  readonly #options: NodeOptions;
  /** Requests that were not answered yet. */
  readonly #pending = new Set<Request>();
  #limiter: Limiter;
  #connection: ConnectedStore | undefined;
  #transport: SimulatedTransport | undefined;
  #unitsHeld: (() => ReadonlyMap<string, number>) | undefined;
  #status: (() => GossipStatus) | undefined;
  #life = 0;
  /** What is to be done when the pause is over. */
  #paused: (() => void)[] | undefined;
  #skewUs: number;
  /** What its clock went forward by at once, which may mean that the machine slept. */
  #leptUs = 0;
  #answer: Decision | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#skewUs = options.skewUs;
    this.#limiter = this.#start();
  }

  /** From 0 on, by the place that it has. */
  get index(): number {
    return this.#options.index;
  }

  /** How often it was begun anew. */
  get life(): number {
    return this.#life;
  }

  /** What its clock shows. */
  get clockUs(): number {
    return this.#options.store.time.nowUs + this.#skewUs;
  }

  /** How its gossip stands; undefined where it has none. */
  gossip(): GossipStatus | undefined {
    return this.#status?.();
  }

  /** Units that it holds in leases. */
  unitsHeld(): number {
    const held = this.#unitsHeld?.().values() ?? [];
    return [...held].reduce((sum, units) => sum + units, 0);
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Asks. What a paused node is asked waits for its end. */
  ask(request: Request): void {
    this.#pending.add(request);
    const life = this.#life;
    this.#run(life, () => this.#check(life, request));
  }

  /** Ends at once, and loses all that it knew. */
  crash(): void {
    this.#life += 1;
    this.isDown = true;
    this.#transport?.close();
    this.#paused = undefined;
    for (const request of this.#pending) this.#options.witness.lost(request);
    this.#pending.clear();
  }

  /** Begins anew after a crash. One that gossips is asked once it knows what the others admitted. */
  restart(): void {
    this.isDown = false;
    this.#limiter = this.#start();
    if (this.#transport === undefined) return;
    const life = this.#life;
    this.isReady = false;
    void this.#limiter.ping().then(() => {
      if (life === this.#life) this.isReady = true;
    });
  }

  pause(): void {
    if (!this.isDown) this.#paused ??= [];
  }

  resume(): void {
    const waiting = this.#paused ?? [];
    this.#paused = undefined;
    const { time } = this.#options.store;
    for (const work of waiting) time.at(time.nowUs, work);
  }

  /** Sets its clock. */
  step(stepUs: number): void {
    this.steps += 1;
    this.#skewUs += stepUs;
    this.#leptUs += Math.max(stepUs, 0);
  }

  #check(life: number, request: Request): void {
    const { cost, key } = request;
    this.#answer = undefined;
    const checked = this.#limiter.check({ policy: POLICY, key, cost });
    // What memory decides is told before anything else happens, and so without a turn of the real event loop.
    if (this.#answer !== undefined) {
      this.#answered(request, this.#answer, this.#options.store.time.nowUs);
      return;
    }
    this.isUnsettled = true;
    void checked.then((decision) => {
      if (life !== this.#life) return;
      this.#answered(
        request,
        decision,
        this.#connection?.workedUs() ?? this.#options.store.time.nowUs,
      );
    });
  }

  #answered(request: Request, decision: Decision, decidedUs: number): void {
    this.#pending.delete(request);
    this.#options.witness.answered({ request, decision, node: this, decidedUs });
  }

  #run(life: number, work: () => void): void {
    if (life !== this.#life) return;
    if (this.#paused === undefined) work();
    else this.#paused.push(() => this.#run(life, work));
  }

  #start(): Limiter {
    const { index, sharing, region, configuration, store, random } = this.#options;
    const { options: policy, coordination } = configuration;
    const { time } = store;
    const life = this.#life;
    const run = (work: () => void) => this.#run(life, work);
    const loop = createLoop(time, run);
    const isShared = coordination === "central" || coordination === "hybrid";
    this.#connection = isShared ? connect(store, index, run) : undefined;
    this.#transport = this.#connect(run);
    this.#unitsHeld = undefined;
    this.#status = undefined;
    return createLimiter({
      policies: { [POLICY]: policy },
      region,
      ...(this.#connection === undefined
        ? {}
        : { store: this.#connection, expectedNodes: sharing }),
      ...(this.#transport === undefined ? {} : { gossip: this.#gossipOptions(this.#transport) }),
      clock: {
        now: () => this.clockUs,
        steady: () => time.nowUs + this.#leptUs,
      },
      timer: loop,
      scheduler: loop,
      random,
      telemetry: {
        decided: (decision) => {
          this.#answer = decision;
        },
        leasesHeld: (unitsHeld) => {
          this.#unitsHeld = unitsHeld;
        },
        gossipWatched: (status) => {
          this.#status = status;
        },
      },
    });
  }

  /** Creates what carries its gossip; undefined where it has none. */
  #connect(run: (work: () => void) => void): SimulatedTransport | undefined {
    const { index, nodes, configuration, store } = this.#options;
    if (configuration.gossip === undefined) return undefined;
    const addresses = Array.from({ length: nodes }, (_, node) => addressOf(node));
    const { network } = store;
    const address = addressOf(index);
    return new SimulatedTransport({ network, node: index, address, members: () => addresses, run });
  }

  #gossipOptions(transport: SimulatedTransport): GossipOptions {
    return { ...this.#options.configuration.gossip!.options, transport };
  }
}

function addressOf(node: number): string {
  return `node-${node + 1}`;
}
