// What may have been admitted of one key, by the definition of each limit and nothing of the code that decides. Each
// admission is held against it when it is told.

import type { Limit } from "tidegate";

/** How far an account goes beyond the limits. */
export interface AccountOptions {
  readonly limits: readonly Limit[];
  readonly startUs: number;
  /** For how long a lease may be spent after it was granted. */
  readonly leaseUs: number;
  /** How many nodes may hold a lease at once. */
  readonly holders: number;
  /** Units that all nodes together may admit beyond it. */
  readonly beyond: readonly number[];
}

/** Units beyond a limit that may be admitted. */
interface Beyond {
  units: number;
}

interface LimitAccount {
  /** Says what is wrong where a cost goes beyond what it allows; undefined where it does not. */
  admit(atUs: number, cost: number): string | undefined;
  /** Units that are left at least, where nothing is held that was not admitted. */
  left(nowUs: number): number;
}

/** The account of a key. */
export class KeyAccount {
  admitted = 0;
  readonly #limits: readonly LimitAccount[];
  readonly #beyond: readonly Beyond[];

  constructor({ limits, ...options }: AccountOptions) {
    this.#beyond = options.beyond.map((units) => ({ units }));
    this.#limits = limits.map((limit, index) => accountOf(limit, options, this.#beyond[index]!));
  }

  /** Notes that so many units were admitted by a node that is no more, of which the store will never know. */
  lose(units: number): void {
    for (const beyond of this.#beyond) beyond.units += units;
  }

  /** Notes that a cost was admitted at an instant of the store's clock; says what is wrong with that. */
  admit(atUs: number, cost: number): string | undefined {
    this.admitted += cost;
    let wrong: string | undefined;
    for (const limit of this.#limits) wrong ??= limit.admit(atUs, cost);
    return wrong;
  }

  /** Units that are left at least, where nobody holds any. */
  left(nowUs: number): number {
    return Math.floor(Math.min(...this.#limits.map((limit) => limit.left(nowUs))));
  }
}

type Since = Pick<AccountOptions, "startUs" | "leaseUs" | "holders">;

function accountOf(limit: Limit, since: Since, beyond: Beyond): LimitAccount {
  switch (limit.algorithm) {
    case "token-bucket":
      return bucketAccount(limit, since, beyond);
    case "sliding-window":
      return slidingAccount(limit.limit, limit.windowUs, beyond);
    case "fixed-window":
      return windowAccount(limit.limit, limit.windowUs, beyond);
    case "calendar-window":
      // Days of UTC are the calendar windows of a model.
      return windowAccount(limit.limit, 86_400_000_000, beyond);
    default:
      throw new Error(`no account of a ${limit.algorithm}`);
  }
}

function windowAccount(limit: number, windowUs: number, beyond: Beyond): LimitAccount {
  const counts = new WindowCounts(windowUs);
  return {
    admit(atUs, cost) {
      const { count } = counts.add(atUs, cost);
      if (count <= limit + beyond.units) return undefined;
      return `${count} units in a window of ${limit} + ${beyond.units}`;
    },
    left: (nowUs) => limit - counts.of(nowUs).count,
  };
}

function slidingAccount(limit: number, windowUs: number, beyond: Beyond): LimitAccount {
  const counts = new WindowCounts(windowUs);
  const estimateAt = (atUs: number) => {
    const left = windowUs - (atUs % windowUs);
    const before = counts.of(atUs - windowUs).count;
    return counts.of(atUs).count + Math.ceil((before * left) / windowUs - 1e-9);
  };
  return {
    left: (nowUs) => limit - estimateAt(nowUs) - 1,
    admit(atUs, cost) {
      const { lastUs } = counts.add(atUs, cost);
      const next = counts.of(atUs + windowUs);
      const after = next.count > 0 ? estimateAt(next.lastUs) : 0;
      const estimate = Math.max(estimateAt(lastUs), after);
      // What is owed of the window before counts for its part alone, which may round to one more.
      if (estimate <= limit + beyond.units + (beyond.units > 0 ? 1 : 0)) return undefined;
      return `an estimate of ${estimate} units in a sliding window of ${limit} + ${beyond.units}`;
    },
  };
}

/** Units by window. What is told late may belong to the one before. */
class WindowCounts {
  readonly #windowUs: number;
  readonly #counts = new Map<number, { count: number; lastUs: number }>();

  constructor(windowUs: number) {
    this.#windowUs = windowUs;
  }

  of(atUs: number): { readonly count: number; readonly lastUs: number } {
    return this.#counts.get(Math.floor(atUs / this.#windowUs)) ?? { count: 0, lastUs: atUs };
  }

  /** Adds units to the window of an instant; returns all of it, and the last instant of any. */
  add(atUs: number, cost: number): { readonly count: number; readonly lastUs: number } {
    const { count, lastUs } = this.of(atUs);
    const after = { count: count + cost, lastUs: Math.max(lastUs, atUs) };
    this.#counts.set(Math.floor(atUs / this.#windowUs), after);
    return after;
  }
}

function bucketAccount(
  limit: { readonly limit: number; readonly periodUs: number; readonly units: number },
  { startUs, leaseUs, holders }: Since,
  beyond: Beyond,
): LimitAccount {
  const unitUs = limit.periodUs / limit.units;
  let total = 0;
  // The instant at which all is back that was spent.
  let backUs = 0;
  return {
    // Of units that nobody used those are not given back that refilled meanwhile; one that is partly back is in use.
    left(nowUs) {
      const used = Math.max(backUs - nowUs, 0) / unitUs;
      return limit.limit - used - (holders * leaseUs) / unitUs - 1;
    },
    admit(nowUs, cost) {
      total += cost;
      const ideal = limit.limit + (nowUs - startUs) / unitUs + beyond.units;
      if (total > ideal + 1e-6) return `${total} units since the start, of ${ideal} in all`;
      backUs = Math.max(backUs, nowUs) + cost * unitUs;
      const used = (backUs - nowUs) / unitUs;
      const most = limit.limit + leaseUs / unitUs + beyond.units;
      if (used <= most + 1e-6) return undefined;
      return `${used} units in use at once, of ${most} with what leases hold over`;
    },
  };
}
