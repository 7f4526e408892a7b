// One node of a simulation: a real limiter with a clock of its own. It may crash, after which another begins in its
// place that knows nothing; be paused, and go on where it was; and have its clock set.

import { createLimiter } from "../create-limiter.ts";
import type { Decision } from "../decision.ts";
import type { Limiter } from "../limiter.ts";
import type { PolicyOptions } from "../policy/policy.ts";
import type { Random } from "../ports/random.ts";
import { connect, type SimulatedStore } from "./simulated-store.ts";
import type { Request } from "./traffic.ts";
import { createLoop } from "./virtual-time.ts";

/** The policy that is simulated. */
export const POLICY = "simulated";

/** Is told what became of requests. */
export interface Witness {
  answered(request: Request, decision: Decision): void;
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
  /** Whether a check was begun whose promise may have to settle before time goes on. */
  isUnsettled = false;
  readonly #options: NodeOptions;
  /** Requests that were not answered yet. */
  readonly #pending = new Set<Request>();
  #limiter: Limiter;
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
    this.#skewUs += stepUs;
    this.#leptUs += Math.max(stepUs, 0);
  }

  #check(life: number, request: Request): void {
    const { cost, key } = request;
    this.#answer = undefined;
    const checked = this.#limiter.check({ policy: POLICY, key, cost });
    // What memory decides is told before anything else happens, and so without a turn of the real event loop.
    if (this.#answer !== undefined) {
      this.#answered(request, this.#answer);
      return;
    }
    this.isUnsettled = true;
    void checked.then((decision) => {
      if (life === this.#life) this.#answered(request, decision);
    });
  }

  #answered(request: Request, decision: Decision): void {
    this.#pending.delete(request);
    this.#options.witness.answered(request, decision);
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
    const isLocal = policy.coordination === "local";
    return createLimiter({
      policies: { [POLICY]: policy },
      ...(isLocal ? {} : { store: connect(store, index, run), expectedNodes: nodes }),
      clock: {
        now: () => time.nowUs + this.#skewUs,
        steady: () => time.nowUs + this.#leptUs,
      },
      timer: loop,
      scheduler: loop,
      random,
      telemetry: {
        decided: (decision) => {
          this.#answer = decision;
        },
      },
    });
  }
}
