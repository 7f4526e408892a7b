import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { AnswerTo, LeaseWork, Outcome, Store } from "./store.ts";

/** A shared store whose policies answer where it does not. */
export interface AnsweringStore extends Store {
  /** Whether the store is not asked about a key, for it is known to be away. */
  isAway(policy: Policy, key: string): boolean;
  /** Answers a check in place of the store, as the policy says. */
  answer(policy: Policy, key: string, cost: number): Decision;
  /** Asks for a lease. Rejects with STORE_UNAVAILABLE within the policy's deadline; nothing answers in its place. */
  borrow(work: LeaseWork, answerTo: AnswerTo<Outcome>): void;
  /** How many nodes share the store, where that is known for certain and all of them know it; else undefined. */
  readonly certainNodes: CertainNodes | undefined;
}

/** How many nodes share a store. */
export interface CertainNodes {
  readonly count: number;
  /** Since when it is so, and known: in microseconds of this node's clock, of the one that is never stepped back. */
  readonly since: number;
}
