// Checks that wait for units, each as long as its policy's deadline says and no longer, whatever the store is asked
// meanwhile: a timer for all that begin to wait in one turn of the event loop.

import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";

/** One check that waits. */
export class Waiter {
  readonly key: string;
  readonly cost: number;
  /** Questions that asked for it. */
  asks = 0;
  /** Whether it waits no more. */
  isOver = false;
  readonly #group: Group;
  readonly #resolve: (decision: Decision) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    key: string,
    cost: number,
    group: Group,
    resolve: (decision: Decision) => void,
    reject: (error: unknown) => void,
  ) {
    this.key = key;
    this.cost = cost;
    this.#group = group;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Answers it; false where it had been before. */
  answer(decision: Decision): boolean {
    if (!this.#end()) return false;
    this.#resolve(decision);
    return true;
  }

  /** Rejects it, unless it was answered before. */
  fail(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  #end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.#group.ended();
    return true;
  }
}

/** Those of one policy's deadline that began to wait in one turn. */
interface Group {
  readonly waiters: Waiter[];
  /** Counts one that waits no more. */
  ended(): void;
}

/** What they need. */
export interface WaitingOptions {
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  /** Answers a check whose time is over. */
  readonly instead: (policy: Policy, waiter: Waiter) => Decision;
}

/** All that wait. */
export class Waiting {
  /** How many there are. */
  size = 0;
  readonly #options: WaitingOptions;
  /** Those of this turn. */
  readonly #groups = new Map<Policy, Group>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** Has a check wait; `begin` is told of it. */
  wait(
    policy: Policy,
    key: string,
    cost: number,
    begin: (waiter: Waiter) => void,
  ): Promise<Decision> {
    const group = this.#groups.get(policy) ?? this.#open(policy);
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(key, cost, group, resolve, reject);
      group.waiters.push(waiter);
      this.size += 1;
      begin(waiter);
    });
  }

  #open(policy: Policy): Group {
    const { timer, scheduler, instead } = this.#options;
    const waiters: Waiter[] = [];
    let over = 0;
    const expire = () => {
      for (const waiter of waiters) if (!waiter.isOver) waiter.answer(instead(policy, waiter));
    };
    // Where this process was busy for that long, what has arrived meanwhile is read first.
    const cancel = timer.after(policy.deadlineMs, () => scheduler.afterTurn(expire));
    const group: Group = {
      waiters,
      ended: () => {
        this.size -= 1;
        over += 1;
        if (over === waiters.length) cancel();
      },
    };
    if (this.#groups.size === 0) scheduler.afterTurn(() => this.#groups.clear());
    this.#groups.set(policy, group);
    return group;
  }
}
