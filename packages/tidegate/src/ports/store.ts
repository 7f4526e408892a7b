import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Telemetry } from "./telemetry.ts";

/** Keeps the states and decides on them atomically. A store that is `shared` answers with promises. */
export interface Store {
  /** Whether other nodes see the same counts. */
  readonly shared: boolean;
  /**
   * Decides `cost` units for `key`, and takes them where admitted and `consume` is set. All limits of the policy or
   * none. The policy may differ from the last call's of that name: what was consumed is carried over.
   * @throws TidegateError STORE_UNAVAILABLE, as a rejection, where no answer could be had.
   */
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision | Promise<Decision>;
  /** Forgets the key, so that it starts unused. */
  reset(policy: Policy, key: string): void | Promise<void>;
  /** Answers where the store can decide; rejects with STORE_UNAVAILABLE where it cannot. */
  ping(): void | Promise<void>;
  /** Counts one more user of the store, who is told of what happens in it and will call `release` once. */
  acquire(telemetry: Telemetry | undefined): void;
  /**
   * Gives the store back, with what was given to `acquire`; the last one to do so closes what the store itself opened.
   * It does not wait for an answer longer than about a second.
   */
  release(telemetry: Telemetry | undefined): void | Promise<void>;
}
