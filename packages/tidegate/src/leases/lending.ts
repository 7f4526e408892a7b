// Whether a node may admit what it does not hold, under `maxOvershoot`. All nodes together never owe more than that
// part of a limit, though nodes come and go: docs/decisions/0017-lending.md says why that holds.

import type { Policy } from "../policy/policy.ts";
import type { AnsweringStore } from "../ports/answering-store.ts";
import type { Lease } from "./lease.ts";

/** What this node may lend. */
export class Lending {
  readonly #store: AnsweringStore;
  /** By name, the only limits that were ever used; undefined where there were several. */
  readonly #limits = new Map<string, string | undefined>();
  /** When each policy was used first, of those whose name never had other limits. */
  readonly #usedAt = new WeakMap<Policy, number>();

  constructor(store: AnsweringStore) {
    this.#store = store;
  }

  /** Is told of a policy before it is asked about it. */
  use(policy: Policy, now: number): void {
    const { name, maxOvershoot } = policy;
    const limits = JSON.stringify([
      maxOvershoot,
      policy.limits.map((one) => [one.rule, one.limit]),
    ]);
    const isSame = !this.#limits.has(name) || this.#limits.get(name) === limits;
    this.#limits.set(name, isSame ? limits : undefined);
    // What is owed of other limits may take longer to be paid than these say, by any measure of theirs.
    if (isSame && !this.#usedAt.has(policy)) this.#usedAt.set(policy, now);
  }

  /**
   * Whether a cost that is not in hand is within this node's part of what all nodes may owe. It is charged with the
   * next question; while the key may be in debt nothing more is lent.
   */
  allows(lease: Lease, cost: number, now: number): boolean {
    const { policy, key } = lease;
    const nodes = this.#store.certainNodes;
    if (nodes === undefined || lease.debtEndsAt > 0) return false;
    const least = Math.min(...policy.limits.map(({ limit }) => limit));
    const mostOwed = Math.floor((policy.maxOvershoot * least) / nodes.count);
    if (lease.owed + cost > mostOwed || !this.#isPaid(lease, nodes.since, now)) return false;
    return !this.#store.isAway(policy, key);
  }

  /** Whether the key is in no debt of before, when nodes had other parts, or were others. */
  #isPaid({ policy, askedAt }: Lease, since: number, now: number): boolean {
    // The store was asked since, and said that there is none.
    if (askedAt > since) return true;
    const usedAt = this.#usedAt.get(policy);
    return usedAt !== undefined && now - Math.max(since, usedAt) >= paidUs(policy);
  }
}

/** How long it takes at most until all is paid that was owed, in microseconds. */
function paidUs({ limits, maxOvershoot }: Policy): number {
  return Math.max(
    ...limits.map(({ algorithm, windowUs }) => {
      return algorithm === "token-bucket" ? maxOvershoot * windowUs : 2 * windowUs;
    }),
  );
}
