// What the store said last of a key, and what a node answers by it until it asks again: how a key stands of which it
// has units, and that a cost is not there.

import { resetOf, waitFor } from "../algorithms/dispatch.ts";
import { createDecision, type Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Outcome } from "../ports/store.ts";

/** Known denials are asked about again after this long: another node may have given units back. */
const QUIET_US_MAX = 900_000;

/** By how long denials outlast the time for the next question, so that its answer can arrive meanwhile. */
const LEAD_US_MAX = 50_000;

/** How a key stands for a cost of which so many units are missing in hand. */
interface Standing {
  readonly cost: number;
  readonly missing: number;
  /** Microseconds until they are there; Infinity never. */
  readonly waitUs: number;
  readonly decision: Decision;
}

/** The answer to a question. */
export class LastAnswer {
  /** When it arrived, by this node's clock. */
  readonly at: number;
  /** Microseconds until all limits are as if never used. */
  readonly resetUs: number;
  readonly #policy: Policy;
  readonly #storeAt: number;
  readonly #numbers: Float64Array;
  readonly #key: string;
  // How the key stood after what was granted: kept here, where an admission finds it without another look-up.
  readonly #limitName: string;
  readonly #limit: number;
  readonly #remaining: number;
  readonly #resetAfterMs: number;
  readonly #nearRemaining: number;
  /** For this long the store is not asked, and costs that are not in hand are denied; 0 where all was granted. */
  #quietUs = 0;
  /** Of the cost that was asked about last; undefined before, for most answers are never asked. */
  #standing: Standing | undefined;

  /** @param quiet how often the time is quiet that must be; 0 where all was granted that was wanted. */
  constructor(policy: Policy, { decision, lease, at }: Outcome, quiet: number, now: number) {
    this.#policy = policy;
    this.#key = decision.key;
    this.#limitName = decision.limitName;
    this.#limit = decision.limit;
    this.#remaining = decision.remaining;
    this.#resetAfterMs = decision.resetAfterMs;
    this.at = now;
    this.#storeAt = at;
    this.#numbers = lease!.numbers;
    this.#nearRemaining = policy.nearRemaining[policy.limitNames.indexOf(decision.limitName)]!;
    this.resetUs = resetUsOf(policy, this.#numbers, at);
    if (quiet === 0) return;
    const leastUs = policy.syncIntervalMs * 1_000;
    const { waitUs } = this.#standingFor(1, 1);
    this.#quietUs = quiet * Math.max(leastUs, Math.min(waitUs, QUIET_US_MAX));
  }

  /** Whether the store is not to be asked yet. */
  isQuiet(now: number): boolean {
    const age = now - this.at;
    return age >= 0 && age < this.#quietUs;
  }

  /** Forgets that anything was denied: units have come back by another way than time. */
  hope(): void {
    this.#quietUs = 0;
  }

  /** Creates the answer that something was admitted, with so many units in hand now. */
  admission(inHand: number, now: number): Decision {
    const remaining = Math.min(this.#limit, this.#remaining + inHand);
    return {
      allowed: true,
      policy: this.#policy.name,
      key: this.#key,
      limitName: this.#limitName,
      limit: this.#limit,
      remaining,
      retryAfterMs: 0,
      resetAfterMs: this.#leftOf(this.#resetAfterMs, now),
      delayMs: 0,
      soft: false,
      nearLimit: remaining <= this.#nearRemaining,
      shadow: false,
      source: "lease",
    };
  }

  /** Answers that a cost is denied, with so many units in hand; undefined where that is not known. */
  denial(cost: number, inHand: number, now: number): Decision | undefined {
    if (this.#quietUs === 0) return undefined;
    const age = now - this.at;
    const missing = cost - inHand;
    const { waitUs, decision } = this.#standingFor(cost, missing);
    const leadUs = Math.min(this.#policy.syncIntervalMs * 500, LEAD_US_MAX);
    const leftUs = Math.max(this.#quietUs + leadUs, waitUs) - age;
    if (age < 0 || leftUs <= 0) return undefined;
    const { shadow } = this.#policy;
    return {
      allowed: shadow,
      policy: decision.policy,
      key: decision.key,
      limitName: decision.limitName,
      limit: decision.limit,
      remaining: Math.min(inHand, decision.limit),
      retryAfterMs: shadow ? 0 : Math.ceil(leftUs / 1_000),
      resetAfterMs: this.#leftOf(decision.resetAfterMs, now),
      delayMs: 0,
      soft: false,
      nearLimit: true,
      shadow,
      source: "lease",
    };
  }

  /** What is left of a time that was told with the answer, in milliseconds. */
  #leftOf(toldMs: number, now: number): number {
    const age = now - this.at;
    return age > 0 ? Math.max(toldMs - Math.floor(age / 1_000), 0) : toldMs;
  }

  #standingFor(cost: number, missing: number): Standing {
    const known = this.#standing;
    if (known !== undefined && known.cost === cost && known.missing === missing) return known;
    this.#standing = this.#standingOf(cost, missing);
    return this.#standing;
  }

  #standingOf(cost: number, missing: number): Standing {
    const { limits, offsets } = this.#policy;
    const [policy, numbers] = [this.#policy, this.#numbers];
    const at = this.#storeAt;
    const waits = Float64Array.from(limits, (limit, index) => {
      const waitUs = waitFor(limit, numbers, offsets[index]!, at, missing, undefined);
      if (waitUs === 0 || limit.algorithm !== "sliding-window") return waitUs;
      // What is in hand may have to be given back until then, and counts for less in the window before.
      return waitFor(limit, numbers, offsets[index]!, at, cost, undefined);
    });
    const waitUs = Math.max(...waits);
    const decision = createDecision(
      policy,
      this.#key,
      missing,
      waitUs,
      false,
      numbers,
      0,
      at,
      "lease",
      waits,
    );
    return { cost, missing, waitUs, decision };
  }
}

/** Returns microseconds until all limits are as if never used. */
function resetUsOf({ limits, offsets }: Policy, numbers: Float64Array, at: number): number {
  let longest = 0;
  for (let index = 0; index < limits.length; index += 1) {
    longest = Math.max(longest, resetOf(limits[index]!, numbers, offsets[index]!, at));
  }
  return longest;
}
