// One node of a simulation: a real limiter with a clock of its own. It may crash, after which another begins in its
// place that knows nothing; be paused, and go on where it was; and have its clock set.

import { createLimiter } from "../create-limiter.ts";
import type { Decision } from "../decision.ts";
import type { Limiter } from "../limiter.ts";
import type { PolicyOptions } from "../policy/policy.ts";
import type { Random } from "../ports/random.ts";
import { type ConnectedStore, connect, type SimulatedStore } from "./simulated-store.ts";
import type { Request } from "./traffic.ts";
import { createLoop } from "./virtual-time.ts";

/** The policy that is simulated. */
export const POLICY = "simulated";

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
  readonly policy: PolicyOptions;
  readonly store: SimulatedStore;
  readonly random: Random;
  readonly skewUs: number;
  readonly witness: Witness;
}

/** A node. */
export class SimulatedNode {
  isDown = false;
  /** How often its clock was set. */
  steps = 0;
  /** Whether a check was begun whose promise may have to settle before time goes on. */
  isUnsettled = false;
  readonly #options: NodeOptions;
  /** Requests that were not answered yet. */
  readonly #pending = new Set<Request>();
  #limiter: Limiter;
  #connection: ConnectedStore | undefined;
  #unitsHeld: (() => ReadonlyMap<string, number>) | undefined;
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
    this.#paused = undefined;
    for (const request of this.#pending) this.#options.witness.lost(request);
    this.#pending.clear();
  }

  /** Begins anew after a crash. */
  restart(): void {
    this.isDown = false;
    this.#limiter = this.#start();
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
    const { index, nodes, policy, store, random } = this.#options;
    const { time } = store;
    const life = this.#life;
    const run = (work: () => void) => this.#run(life, work);
    const loop = createLoop(time, run);
    this.#connection = policy.coordination === "local" ? undefined : connect(store, index, run);
    this.#unitsHeld = undefined;
    return createLimiter({
      policies: { [POLICY]: policy },
      ...(this.#connection === undefined ? {} : { store: this.#connection, expectedNodes: nodes }),
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
      },
    });
  }
}
