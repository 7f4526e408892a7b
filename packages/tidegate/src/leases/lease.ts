// What one node holds and knows of one key: units to spend, how fast they are asked for, and what the store said last.

import { createFailOpen, type Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { LeaseAsk, LeaseBack, Outcome } from "../ports/store.ts";
import { isAlive, SPENT, type Tranche } from "./tranche.ts";

/** How far ahead a lease is to last, in seconds. */
const HORIZON_S = 0.2;

/** How fast what was asked for is forgotten, in seconds. */
const MEMORY_S = 0.5;

/** A lease is renewed when so much of it is left, or what is asked for in so many seconds, whichever is more. */
const LOW_SHARE = 0.2;
const LOW_S = 0.02;

/** A lease is renewed as well when so much of its time is over: whoever asked next would wait. */
const RENEW_SHARE = 0.8;

/** A key that was asked for so little before is asked about ahead when so many units were asked for since. */
const BUSY_UNITS = Math.ceil(MEMORY_S / HORIZON_S);

/** Known denials are asked about again after this long: another node may have given units back. */
const QUIET_US_MAX = 900_000;

/** By how long a denial outlasts the next question, for the answer to arrive. */
const LEAD_US_MAX = 50_000;

const NONE: readonly number[] = [];

/** A check that waits for units. */
export interface Waiter {
  readonly cost: number;
  readonly resolve: (decision: Decision | Promise<Decision>) => void;
  /** Questions that asked for it. */
  asks: number;
}

/** One key of a policy, on one node. */
export class Lease {
  readonly policy: Policy;
  readonly key: string;
  /** Units asked for since the rate was brought up to date. */
  asked = 0;
  /** Whether a question about it is under way, or about to be. */
  isAsking = false;
  /** Whether it will be looked at, to see whether it is idle. */
  isDue = false;
  /** Whether it is not to be used again: the key was reset, or has other limits by now. */
  isDropped = false;
  readonly waiters: Waiter[] = [];
  /** Units admitted that no lease covered. */
  owed = 0;
  /** Whether the store said last that the key is in debt. */
  inDebt = false;
  /** The older, which is spent first, and the newer. */
  #first: Tranche = SPENT;
  #second: Tranche = SPENT;
  #dead: Tranche[] = [];
  /** Units of each tranche that is neither spent nor given back. */
  #lost: number[] = [];
  /** Units left below which the next lease is asked for. */
  #low = 0;
  /** Whether so much was asked for, when the store was asked, that the next lease is asked for ahead. */
  #isBusy = false;
  /** What the store said last, and when it was asked. */
  #told: Decision | undefined;
  #toldAt = 0;
  #nearRemaining = 0;
  /** For this long no cost is admitted that is not in hand, and the store is not asked. */
  #quietUs = 0;
  /** For this long no cost is admitted that is at least `#deniedCost`; Infinity where none ever is. */
  #deniedUs = 0;
  #deniedCost = 0;
  /** Units asked for, a second. */
  #rate = 0;
  #ratedAt: number;

  constructor(policy: Policy, key: string, now: number) {
    this.policy = policy;
    this.key = key;
    this.#ratedAt = now;
  }

  /** Units in hand. */
  unitsAt(now: number): number {
    const first = isAlive(this.#first, now) ? this.#first.units : 0;
    return first + (isAlive(this.#second, now) ? this.#second.units : 0);
  }

  /** Spends a cost, if that much is in hand. */
  spend(cost: number, now: number): boolean {
    const first = this.#first;
    if (cost <= first.units && isAlive(first, now)) {
      first.units -= cost;
      return true;
    }
    return this.#spendBoth(cost, now);
  }

  #spendBoth(cost: number, now: number): boolean {
    this.expire(now);
    if (this.#first.units === 0 && this.#second.units > 0) {
      this.#first = this.#second;
      this.#second = SPENT;
    }
    const first = this.#first;
    if (cost <= first.units) {
      first.units -= cost;
      return true;
    }
    const second = this.#second;
    if (cost > first.units + second.units) return false;
    second.units -= cost - first.units;
    first.units = 0;
    return true;
  }

  /** Puts away what may not be spent any more. */
  expire(now: number): void {
    for (const tranche of [this.#first, this.#second]) {
      if (tranche.units > 0 && !isAlive(tranche, now)) this.#dead.push(tranche);
    }
    if (!isAlive(this.#first, now)) this.#first = SPENT;
    if (!isAlive(this.#second, now)) this.#second = SPENT;
  }

  /** Puts away all that is in hand. */
  putAway(): void {
    for (const tranche of [this.#first, this.#second]) {
      if (tranche.units > 0) this.#dead.push(tranche);
    }
    this.#first = SPENT;
    this.#second = SPENT;
  }

  /** Forgets all that is in hand: it is not there any more, or cannot be given back. */
  forfeit(): void {
    this.putAway();
    for (const { units } of this.#dead) this.#lost.push(units);
    this.#dead = [];
    this.owed = 0;
  }

  /** Whether the store is to be told something: what is worth giving back, or owed. */
  hasNews(now: number): boolean {
    return this.hasDead(now) || this.owed > 0;
  }

  /** For how long the key is in debt at most, by what the store said last. */
  debtEndsAt(): number {
    return this.inDebt ? this.#toldAt + this.#told!.resetAfterMs * 1_000 : 0;
  }

  /** Whether there is something that is worth giving back. */
  hasDead(now: number): boolean {
    if (this.#dead.length === 0) return false;
    this.#dead = this.#dead.filter(({ units, from, returnsUs }) => {
      const age = now - from;
      const isWorth = age < 0 || age < returnsUs;
      if (!isWorth) this.#lost.push(units);
      return isWorth;
    });
    return this.#dead.length > 0;
  }

  /** Takes note of what was neither spent nor given back since the last time. */
  takeLost(): readonly number[] {
    if (this.#lost.length === 0) return NONE;
    const lost = this.#lost;
    this.#lost = [];
    return lost;
  }

  /** Whether the next lease is to be asked for before this one is spent, or ends. */
  isLow(now: number): boolean {
    const { units, from, renewUs } = this.#first;
    if (units > this.#low && now - from < renewUs) return false;
    return this.#second.units === 0 && (this.#isBusy || this.asked >= BUSY_UNITS);
  }

  /** Whether the store is not to be asked yet. */
  isQuiet(now: number): boolean {
    const age = now - this.#toldAt;
    return age >= 0 && age < this.#quietUs;
  }

  /** Answers that a cost is denied, where that is known. */
  deny(cost: number, now: number): Decision | undefined {
    const age = now - this.#toldAt;
    if (age < 0) return undefined;
    if (cost >= this.#deniedCost && age < this.#deniedUs)
      return this.#denied(this.#deniedUs - age, now);
    if (age < this.#quietUs) return this.#denied(this.#quietUs + leadOf(this.policy) - age, now);
    return undefined;
  }

  /** Creates the answer that what was just spent was admitted. */
  admitted(now: number): Decision {
    const told = this.#told!;
    const remaining = this.#remaining(told, now);
    return {
      allowed: true,
      policy: told.policy,
      key: told.key,
      limitName: told.limitName,
      limit: told.limit,
      remaining,
      retryAfterMs: 0,
      resetAfterMs: resetAfter(told, now - this.#toldAt),
      delayMs: 0,
      soft: told.soft,
      nearLimit: remaining <= this.#nearRemaining,
      shadow: false,
      source: "lease",
    };
  }

  /** Creates the answer that a cost was admitted that is not in hand. */
  lent(cost: number, now: number): Decision {
    const told = this.#told ?? createFailOpen(this.policy, this.key, cost, now);
    const remaining = Math.max(this.#remaining(told, now) - this.owed, 0);
    return {
      ...told,
      allowed: true,
      remaining,
      retryAfterMs: 0,
      resetAfterMs: resetAfter(told, now - this.#toldAt),
      nearLimit: remaining <= this.#nearRemaining,
      shadow: false,
      source: "lease",
    };
  }

  #denied(waitUs: number, now: number): Decision {
    const told = this.#told!;
    const { shadow } = this.policy;
    const retryAfterMs = waitUs === Number.POSITIVE_INFINITY ? null : Math.ceil(waitUs / 1_000);
    return {
      ...told,
      allowed: shadow,
      remaining: this.unitsAt(now),
      retryAfterMs: shadow ? 0 : retryAfterMs,
      resetAfterMs: resetAfter(told, now - this.#toldAt),
      nearLimit: true,
      shadow,
      source: "lease",
    };
  }

  /** Units that could be taken: those in hand, and those that the store had left. */
  #remaining(told: Decision, now: number): number {
    return Math.min(told.limit, told.remaining + this.unitsAt(now));
  }

  /** Brings the rate up to date. */
  rate(now: number): number {
    const seconds = Math.max(now - this.#ratedAt, 0) / 1e6;
    this.#rate = this.#rate * Math.exp(-seconds / MEMORY_S) + this.asked / MEMORY_S;
    this.#ratedAt = now;
    this.asked = 0;
    return this.#rate;
  }

  /** Takes what is to be given back, and says what is wanted: nothing where nobody asks for any. */
  createAsk(node: string, keepUs: number, now: number): { ask: LeaseAsk; least: number } {
    this.expire(now);
    const rate = this.rate(now);
    const costs = this.waiters.map(({ cost }) => cost);
    const waiting = costs.reduce((sum, cost) => sum + cost, 0);
    const most = Math.min(...this.policy.limits.map(({ limit }) => limit));
    const soon = Math.max(Math.ceil(rate * HORIZON_S), 1);
    const { owed } = this;
    // What is hardly asked for is not asked about ahead.
    const isWanted = waiting > 0 || owed > 0 || rate * HORIZON_S >= 1;
    const ahead = this.isDropped ? waiting : Math.max(waiting, soon);
    const want = isWanted ? Math.min(ahead, most) : 0;
    for (const waiter of this.waiters) waiter.asks += 1;
    const backs = this.hasDead(now) ? this.#dead.map(toBack) : [];
    this.#dead = [];
    return {
      ask: { node, want, spare: this.policy.leaseFraction, keepUs, owed, backs },
      least: costs[0] ?? (want > 0 ? 1 : 0),
    };
  }

  /**
   * Takes what the store has granted.
   * @param askedAt when it was asked, by this node's clock.
   * @returns whether it was as much as was wanted.
   */
  receive(ask: LeaseAsk, outcome: Outcome, askedAt: number, lastsUs: number): boolean {
    const { decision, lease, receipts, at } = outcome;
    const { units, windowLeftUs, debt } = lease!;
    this.#told = { ...decision, source: "lease" };
    this.#toldAt = askedAt;
    this.owed -= ask.owed;
    this.inDebt = debt > 0;
    const index = this.policy.limitNames.indexOf(decision.limitName);
    this.#nearRemaining = this.policy.nearRemaining[index] ?? 0;
    if (units > 0) {
      const tranche = {
        units,
        from: askedAt,
        lastsUs: Math.min(lastsUs, windowLeftUs),
        // What ends with a window is not renewed within it.
        renewUs: windowLeftUs > lastsUs ? lastsUs * RENEW_SHARE : Number.POSITIVE_INFINITY,
        returnsUs:
          this.policy.limits.length > 1 ? Number.POSITIVE_INFINITY : decision.resetAfterMs * 1_000,
        back: { takenAt: at, receipt: receipts[0]! },
      };
      if (this.#first.units === 0) this.#first = tranche;
      else if (this.#second.units === 0) this.#second = tranche;
      else this.#dead.push(tranche);
    }
    const soon = this.#rate * HORIZON_S;
    this.#isBusy = soon >= 2;
    this.#low = Math.max(this.#rate * LOW_S, units * LOW_SHARE);
    const full = units >= ask.want;
    this.#quietUs = 0;
    this.#deniedUs = 0;
    if (!full) this.#quietUs = this.policy.syncIntervalMs * 1_000;
    return full;
  }

  /** Notes that a cost was not there after a grant that fell short, and returns the answer to it. */
  refuse(cost: number, now: number): Decision {
    const told = this.#told!;
    // What the store said is about the cost that had waited longest, before anything was granted.
    const waitUs = told.allowed ? 0 : (told.retryAfterMs ?? Number.POSITIVE_INFINITY) * 1_000;
    const leastUs = this.policy.syncIntervalMs * 1_000;
    this.#quietUs = Math.max(this.#quietUs, Math.min(Math.max(waitUs, leastUs), QUIET_US_MAX));
    const deniedUs = Math.max(leastUs + leadOf(this.policy), waitUs);
    if (this.#deniedUs === 0 || cost < this.#deniedCost) this.#deniedCost = cost;
    this.#deniedUs = Math.max(this.#deniedUs, deniedUs);
    return this.#denied(Math.max(this.#deniedUs - Math.max(now - this.#toldAt, 0), 1_000), now);
  }

  /** Forgets what was denied: units have come back by another way than time. */
  hope(): void {
    this.#quietUs = 0;
    this.#deniedUs = 0;
  }
}

function leadOf({ syncIntervalMs }: Policy): number {
  return Math.min(LEAD_US_MAX, syncIntervalMs * 500);
}

function resetAfter(told: Decision, ageUs: number): number {
  return Math.max(told.resetAfterMs - Math.floor(Math.max(ageUs, 0) / 1_000), 0);
}

function toBack({ units, back }: Tranche): LeaseBack {
  return { units, ...back };
}
