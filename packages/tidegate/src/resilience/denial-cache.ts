// Denials that still hold: what the store said last of a key that it denied. A key under attack so costs the store a
// call now and then and not one for each request. What it answers is one whole decision of the store, never numbers
// from here and there; and it never admits.

import type { Decision } from "../decision.ts";
import { isNever, type Policy } from "../policy/policy.ts";

/** Denials kept at most; those that were written first go first. */
const MAX_DENIALS = 20_000;

/** After this long the store is asked again, since another node may have reset the key or given units back. */
const FRESH_US = 900_000;

/** Longer than any call of the store may take. */
const FLIGHT_US = 2_000_000;

interface Denial {
  readonly policy: Policy;
  readonly cost: number;
  /** Undefined where the key was changed since: then only what is asked after `askedAt` says how it stands. */
  readonly decision: Decision | undefined;
  /** When the store was asked, by this node's clock. */
  readonly askedAt: number;
  /** Until when nothing but a change would admit the cost: Infinity where nothing else ever would. */
  readonly until: number;
}

/** By policy name and key. */
type Denials = Map<string, Map<string, Denial>>;

/** The denials that one limiter remembers. */
export class DenialCache {
  readonly #half: number;
  /** Two halves, of which the older is dropped as a whole when the younger is full. */
  #young: Denials = new Map();
  #old: Denials = new Map();
  #youngSize = 0;

  constructor(maxDenials = MAX_DENIALS) {
    this.#half = Math.ceil(maxDenials / 2);
  }

  /** Whether nothing is remembered, so that `find` need not be asked. */
  get isEmpty(): boolean {
    return this.#young.size === 0 && this.#old.size === 0;
  }

  /** Number of denials remembered. */
  get size(): number {
    return sizeOf(this.#young) + sizeOf(this.#old);
  }

  /**
   * Remembers a denial of the store. Where permits are held nothing is: one may be released at any time.
   * @param askedAt microseconds, when the store was asked.
   */
  add(policy: Policy, key: string, cost: number, decision: Decision, askedAt: number): void {
    if (decision.allowed || policy.holds) return;
    const { retryAfterMs } = decision;
    const until = retryAfterMs === null ? Number.POSITIVE_INFINITY : askedAt + retryAfterMs * 1_000;
    const known = this.#get(policy.name, key);
    if (known !== undefined && known.decision === undefined) {
      // Asked before the units came back, and answered after; if it is not that the clock was stepped back.
      const ageUs = known.askedAt - askedAt;
      if (ageUs >= 0 && ageUs < FLIGHT_US) return;
    }
    this.#set(key, { policy, cost, decision, askedAt, until });
  }

  /**
   * Finds the denial of a cost, for the time that is left of it.
   * @param away whether the store is: then it holds until its time to retry, for nobody can change the key meanwhile.
   */
  find(
    policy: Policy,
    key: string,
    cost: number,
    now: number,
    away: boolean,
  ): Decision | undefined {
    const denial = this.#get(policy.name, key);
    if (denial === undefined || denial.policy !== policy || denial.cost > cost) return undefined;
    const { askedAt, until, decision } = denial;
    if (decision === undefined) return undefined;
    // Before it was asked: the clock was stepped back.
    if (now < askedAt || now >= until) return undefined;
    if (!away && now >= askedAt + FRESH_US) return undefined;
    const never = decision.retryAfterMs === null || cost > decision.limit;
    // It is another limit that never admits it, whose numbers are not known.
    if (!never && isNever(policy, cost)) return undefined;
    return {
      ...decision,
      retryAfterMs: never ? null : Math.ceil((until - now) / 1_000),
      resetAfterMs: Math.max(decision.resetAfterMs - Math.floor((now - askedAt) / 1_000), 0),
      source: "cache",
    };
  }

  /** Forgets a key of a policy, whose units have come back by another way than time, and what was asked by `now`. */
  drop(policy: Policy, key: string, now: number): void {
    // Of these nothing is remembered; and permits come back so often that they would push all denials out.
    if (policy.holds) return;
    this.#set(key, { policy, cost: 0, decision: undefined, askedAt: now, until: now });
  }

  /** Forgets everything. */
  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngSize = 0;
  }

  #get(policyName: string, key: string): Denial | undefined {
    return this.#young.get(policyName)?.get(key) ?? this.#old.get(policyName)?.get(key);
  }

  #set(key: string, denial: Denial): void {
    const { name } = denial.policy;
    let keys = this.#young.get(name);
    if (keys === undefined) {
      keys = new Map();
      this.#young.set(name, keys);
    }
    if (!keys.has(key)) this.#youngSize += 1;
    keys.set(key, denial);
    if (this.#youngSize < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngSize = 0;
  }
}

function sizeOf(denials: Denials): number {
  let size = 0;
  for (const keys of denials.values()) size += keys.size;
  return size;
}
