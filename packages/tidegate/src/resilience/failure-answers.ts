// What a policy answers where its store does not.

import { combineDecisions, createFailClosed, createFailOpen, type Decision } from "../decision.ts";
import { isNever, type Policy, shareOfPolicy } from "../policy/policy.ts";
import type { Clock } from "../ports/clock.ts";
import type { Outcome, Part, Store, Work } from "../ports/store.ts";

/** When to try again where nothing says when the store is asked next. */
const RETRY_MS = 1_000;

/** Work that asks to be admitted, which every policy has an answer for. */
export type Take = Extract<Work, { kind: "take" }>;

interface Share {
  readonly nodes: number;
  readonly policy: Policy;
}

/** Answers in place of the store. */
export class FailureAnswers {
  readonly #memory: Store;
  readonly #clock: Clock;
  readonly #nodes: () => number;
  readonly #shares = new WeakMap<Policy, Share>();
  /** What was taken from memory, and is given back there. */
  readonly #receipts = new WeakSet<object>();

  /** @param nodes how many nodes there are to share a limit. */
  constructor(memory: Store, clock: Clock, nodes: () => number) {
    this.#memory = memory;
    this.#clock = clock;
    this.#nodes = nodes;
  }

  /** Decides as the policy says; `retryMs` is when the store is asked again, 0 where that is not known. */
  decide(policy: Policy, key: string, cost: number, consume: boolean, retryMs: number): Decision {
    if (policy.onStoreFailure !== "local") return this.#answer(policy, key, cost, retryMs);
    const decision = this.#memory.decide(this.#shareOf(policy), key, cost, consume) as Decision;
    return asFallback(decision, isNever(policy, cost) ? null : retryMs);
  }

  /** Takes all parts or none: those of `local` policies in memory, the others where nobody counts. */
  take(work: Take, retryMs: number): Outcome {
    const now = this.#clock.now();
    const receipts = work.parts.map(() => undefined) as Outcome["receipts"][number][];
    const uncounted = work.parts.filter(({ policy }) => policy.onStoreFailure !== "local");
    const answers = uncounted.map(({ policy, key, cost }) => {
      return this.#answer(policy, key, cost, retryMs);
    });
    const own = work.parts.filter(({ policy }) => policy.onStoreFailure === "local");
    const nevers = own
      .filter(({ policy, cost }) => isNever(policy, cost))
      .map(({ policy, key, cost }) => this.decide(policy, key, cost, false, retryMs));
    const denied = [...answers, ...nevers].filter(({ allowed }) => !allowed);
    if (denied.length > 0) {
      return { decision: combineDecisions(denied), done: false, receipts, at: now };
    }
    if (uncounted.length === work.parts.length) {
      return { decision: combineDecisions(answers), done: true, receipts, at: now };
    }
    const outcome = this.#inMemory({ ...work, parts: own }, retryMs);
    if (!outcome.decision.allowed) return { ...outcome, receipts };
    for (const [index, part] of own.entries()) {
      const receipt = outcome.receipts[index];
      if (receipt === undefined) continue;
      this.#receipts.add(receipt);
      receipts[work.parts.indexOf(part)] = receipt;
    }
    return { ...outcome, decision: combineDecisions([outcome.decision, ...answers]), receipts };
  }

  /** Does in memory what belongs to what was taken there; undefined where nothing of it was. */
  follow(work: Exclude<Work, { kind: "take" | "lease" }>): Outcome | undefined {
    if (work.part.policy.onStoreFailure !== "local") return undefined;
    if (work.kind === "give") {
      const isOwn = work.receipt !== undefined && this.#receipts.has(work.receipt);
      return isOwn ? this.#inMemory(work) : undefined;
    }
    const outcome = this.#inMemory(work);
    return outcome.done ? outcome : undefined;
  }

  /** Forgets a key in memory. */
  reset(policy: Policy, key: string): void {
    if (policy.onStoreFailure === "local") this.#memory.reset(this.#shareOf(policy), key);
  }

  #answer(policy: Policy, key: string, cost: number, retryMs: number): Decision {
    const now = this.#clock.now();
    return policy.onStoreFailure === "deny"
      ? createFailClosed(policy, key, cost, now, retryMs || RETRY_MS)
      : createFailOpen(policy, key, cost, now);
  }

  #inMemory(work: Work, retryMs = 0): Outcome {
    const share = (part: Part): Part => ({ ...part, policy: this.#shareOf(part.policy) });
    const shared: Work =
      work.kind === "take"
        ? { ...work, parts: work.parts.map(share) }
        : { ...work, part: share(work.part) };
    const outcome = this.#memory.run(shared) as Outcome;
    return { ...outcome, decision: asFallback(outcome.decision, retryMs) };
  }

  #shareOf(policy: Policy): Policy {
    const nodes = this.#nodes();
    const known = this.#shares.get(policy);
    if (known?.nodes === nodes) return known.policy;
    const share = shareOfPolicy(policy, nodes);
    this.#shares.set(policy, { nodes, policy: share });
    return share;
  }
}

/**
 * Says who decided. What is more than the share may yet be less than the limit, and so be admitted when the store is
 * back.
 * @param retryMs when it is asked again, 0 where that is not known; null where it would not admit either.
 */
function asFallback(decision: Decision, retryMs: number | null): Decision {
  const beyond = decision.retryAfterMs === null && retryMs !== null;
  return {
    ...decision,
    retryAfterMs: beyond ? retryMs || RETRY_MS : decision.retryAfterMs,
    source: "fallback",
  };
}
