// One node of a model: a real limiter in hybrid coordination, with a clock of its own that may be stepped. A crash
// leaves it with all that it holds; what comes in its place knows nothing.

import { createLimiter, type Decision, type Limiter, type PolicyOptions } from "tidegate";
import { createLoop } from "tidegate/simulation";
import type { SeededRandom } from "../support/seeded-random.ts";
import { chance } from "./chance.ts";
import { withQuietWatch } from "./quiet-watch.ts";
import type { Scenario } from "./scenario.ts";
import { type Connection, connect, type SharedServer } from "./shared-server.ts";

/** When a check was asked, and when it was decided: where it waited for the store, when that answered. */
export interface Times {
  readonly askedUs: number;
  readonly decidedUs: number;
}

/** What became of a check. */
export type Told = (
  decision: Decision,
  key: number,
  cost: number,
  node: ModelNode,
  times: Times,
) => void;

/** A node. */
export class ModelNode {
  readonly index: number;
  limiter: Limiter;
  /** How far its clock is ahead of the store's. */
  skewUs: number;
  /** What its clock went forward by at once. */
  #leptUs = 0;
  /** Checks that were not answered yet, of those that did not die with a crash. */
  pending = 0;
  /** What went wrong here. */
  readonly errors: unknown[] = [];
  readonly #server: SharedServer;
  readonly #random: SeededRandom;
  readonly #policies: Record<string, PolicyOptions>;
  readonly #told: Told;
  readonly #quietUs: number;
  #connection: Connection;
  #life = 0;
  #answer: Decision | undefined;

  constructor(
    index: number,
    server: SharedServer,
    random: SeededRandom,
    { policy, quietUs }: Scenario,
    told: Told,
  ) {
    this.index = index;
    this.#server = server;
    this.#random = random;
    this.#policies = { model: policy };
    this.#quietUs = quietUs;
    this.#told = told;
    this.skewUs = random.between(-3_600_000_000, 3_600_000_000);
    this.#connection = connect(server, () => true);
    this.limiter = this.#start();
  }

  /** Asks for a cost of a key. */
  check(key: number, cost: number): void {
    const life = this.#life;
    const askedUs = this.#server.time.nowUs;
    this.#answer = undefined;
    const answer = this.limiter.check({ policy: "model", key: KEYS[key]!, cost });
    // As its telemetry was told, which for decisions from memory is before anything else happens.
    if (this.#answer !== undefined) {
      this.#told(this.#answer, key, cost, this, { askedUs, decidedUs: askedUs });
      return;
    }
    this.pending += 1;
    answer.then(
      (decision) => {
        if (life !== this.#life) return;
        this.pending -= 1;
        this.#told(decision, key, cost, this, { askedUs, decidedUs: this.#connection.answeredUs });
      },
      (error: unknown) => this.errors.push(error),
    );
  }

  /** Sets its policy anew. */
  change(): void {
    this.limiter.setPolicy("model", this.#policies.model!);
  }

  /** Steps its clock, which where that is forward may mean that the machine slept. */
  step(stepUs: number): void {
    this.skewUs += stepUs;
    this.#leptUs += Math.max(stepUs, 0);
  }

  /** Ends at once, and begins anew. */
  crash(): void {
    this.#life += 1;
    this.pending = 0;
    this.limiter = this.#start();
  }

  #start(): Limiter {
    const { time } = this.#server;
    const life = this.#life;
    const isAlive = () => life === this.#life;
    const loop = createLoop(time, (work) => {
      if (isAlive()) work();
    });
    this.#connection = connect(this.#server, isAlive);
    return createLimiter({
      policies: this.#policies,
      store: withQuietWatch(this.#connection.store, {
        time,
        quietUs: this.#quietUs,
        broken: (what) => this.errors.push(what),
      }),
      coordination: "hybrid",
      clock: {
        now: () => time.nowUs + this.skewUs,
        steady: () => time.nowUs + this.#leptUs,
      },
      timer: loop,
      scheduler: loop,
      random: { next: () => chance(this.#random) },
      telemetry: {
        decided: (decision) => {
          this.#answer = decision;
        },
      },
    });
  }
}

/** Names of keys, made once. */
export const KEYS: readonly string[] = Array.from({ length: 10_000 }, (_, index) => `key:${index}`);
