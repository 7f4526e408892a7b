// A store of this process that also counts what other nodes admitted.

import type { Elsewhere, Standing } from "../algorithms/elsewhere.ts";
import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Outcome, Store, Work } from "./store.ts";

/** Is told what a key was charged by work, net: below 0 where units were given back. */
export type Counted = (policy: Policy, key: string, units: number) => void;

/** A key's state, as it stands. */
export interface StateView {
  readonly numbers: Float64Array;
  readonly at: number;
  /** The instant of the store's clock that it is at, in microseconds. */
  readonly now: number;
}

/** A key, and where a store had it when it last looked: most keys are there still. */
export interface KeyAt {
  readonly name: string;
  /** Kept by the store; 0 at first. */
  at: number;
}

/** A store in memory, for policies whose limits are plain. */
export interface CountingStore extends Store {
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision;
  run(work: Work): Outcome;
  reset(policy: Policy, key: string): void;
  /** Who is told of work, but not of `decide`, which says it by its decision. */
  counted: Counted | undefined;
  /** A number above 0 for where the store has a key, unlike that of another of its policy at the time; 0: nowhere. */
  placeOf(policy: Policy, key: string): number;
  /** Answers a denial for a while at least, and for as long as the limits deny, in the numbers of now. */
  deny(policy: Policy, key: KeyAt, cost: number, waitUs: number): Decision;
  /** Says how a key stands, over a span in microseconds. */
  standing(policy: Policy, key: KeyAt, spanUs: number, into: Standing): void;
  /** Returns a key's state now; undefined where it is as if never used. */
  view(policy: Policy, key: KeyAt): StateView | undefined;
  /**
   * Counts what other nodes admitted; answers how many units are beyond what is repaid.
   * @param now an instant of the store's clock, for whoever counts much at once; left out, it is looked at.
   */
  count(policy: Policy, key: KeyAt, units: Elsewhere, now?: number): number;
  /** Has a key be used at least as far as another node saw it, some microseconds ago. */
  assume(policy: Policy, key: KeyAt, used: Float64Array, ageUs: number): void;
}
