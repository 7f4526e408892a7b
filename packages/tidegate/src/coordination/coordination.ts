// What every way to coordinate offers, and the part that those share which leave each decision to one store.

import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";

/** Decides for the policies that share one way to coordinate. */
export interface Coordination {
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision | Promise<Decision>;
  reset(policy: Policy, key: string): void | Promise<void>;
  ping(): void | Promise<void>;
  /** Settles the calls in flight, then gives the store back. */
  close(): void | Promise<void>;
}

/** Creates a coordination that asks `store` for every decision. */
export function decideInStore(store: Store, telemetry: Telemetry | undefined): Coordination {
  store.acquire(telemetry);
  return {
    decide: (policy, key, cost, consume) => store.decide(policy, key, cost, consume),
    reset: (policy, key) => store.reset(policy, key),
    ping: () => store.ping(),
    close: () => store.release(telemetry),
  };
}
