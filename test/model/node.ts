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

/** Is told how many units of a key a node had admitted that has crashed, and the store will not know of. */
export type Lost = (key: number, units: number) => void;

type Loop = ReturnType<typeof createLoop>;

/** One life of a node, from a start to a crash or to the end of its close(). */
interface Life {
  readonly limiter: Limiter;
  readonly connection: Connection;
  /** Whether it has crashed. */
  isOver: boolean;
  /** Checks that were not answered yet. */
  pending: number;
  /** Units admitted from leases or lent, by key. */
  readonly admitted: Map<string, number>;
}

/** A node. */
export class ModelNode {
  readonly index: number;
  /** How far its clock is ahead of the store's. */
  skewUs: number;
  /** What its clock went forward by at once. */
  #leptUs = 0;
  /** What went wrong here. */
  readonly errors: unknown[] = [];
  readonly #server: SharedServer;
  readonly #random: SeededRandom;
  readonly #policies: Record<string, PolicyOptions>;
  readonly #told: Told;
  readonly #lost: Lost;
  readonly #quietUs: number;
  readonly #lives: Life[] = [];
  #life: Life;
  #answer: Decision | undefined;

  constructor(
    index: number,
    server: SharedServer,
    random: SeededRandom,
    { policy, quietUs }: Scenario,
    told: Told,
    lost: Lost,
  ) {
    this.index = index;
    this.#server = server;
    this.#random = random;
    this.#policies = { model: policy };
    this.#quietUs = quietUs;
    this.#told = told;
    this.#lost = lost;
    this.skewUs = random.between(-3_600_000_000, 3_600_000_000);
    this.#life = this.#start();
  }

  /** Checks that were not answered yet, of those that did not die with a crash. */
  get pending(): number {
    return this.#lives.reduce((sum, { isOver, pending }) => sum + (isOver ? 0 : pending), 0);
  }

  close(): Promise<void> {
    return this.#life.limiter.close();
  }

  /** Asks for a cost of a key. */
  check(key: number, cost: number): void {
    const life = this.#life;
    const askedUs = this.#server.time.nowUs;
    this.#answer = undefined;
    const answer = life.limiter.check({ policy: "model", key: KEYS[key]!, cost });
    const told = (decision: Decision, decidedUs: number) => {
      const { allowed, source } = decision;
      if (allowed && source === "lease") {
        life.admitted.set(KEYS[key]!, (life.admitted.get(KEYS[key]!) ?? 0) + cost);
      }
      this.#told(decision, key, cost, this, { askedUs, decidedUs });
    };
    // As its telemetry was told, which for decisions from memory is before anything else happens.
    if (this.#answer !== undefined) {
      told(this.#answer, askedUs);
      return;
    }
    life.pending += 1;
    answer.then(
      (decision) => {
        if (life.isOver) return;
        life.pending -= 1;
        told(decision, life.connection.answeredUs);
      },
      (error: unknown) => this.errors.push(error),
    );
  }

  /** Sets its policy anew. */
  change(): void {
    this.#life.limiter.setPolicy("model", this.#policies.model!);
  }

  /** Steps its clock, which where that is forward may mean that the machine slept. */
  step(stepUs: number): void {
    this.skewUs += stepUs;
    this.#leptUs += Math.max(stepUs, 0);
  }

  /** Ends at once, and begins anew. Of what it had lent the store may never hear. */
  crash(): void {
    for (const [key, units] of this.#life.admitted) {
      const unheard = units - this.#life.connection.debited(key);
      if (unheard > 0) this.#lost(KEYS.indexOf(key), unheard);
    }
    this.#life.isOver = true;
    this.#life = this.#start();
  }

  /** Ends as a node does that is told to, and begins anew meanwhile. */
  restart(): void {
    void this.#life.limiter.close();
    this.#life = this.#start();
  }

  #start(): Life {
    const { time } = this.#server;
    const isAlive = () => !life.isOver;
    const loop = createLoop(time, (work) => {
      if (isAlive()) work();
    });
    const connection = connect(this.#server, isAlive);
    const life: Life = {
      limiter: this.#createLimiter(connection, loop),
      connection,
      isOver: false,
      pending: 0,
      admitted: new Map(),
    };
    this.#lives.push(life);
    return life;
  }

  #createLimiter(connection: Connection, loop: Loop): Limiter {
    const { time } = this.#server;
    return createLimiter({
      policies: this.#policies,
      store: withQuietWatch(connection.store, {
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
