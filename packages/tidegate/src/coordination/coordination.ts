// What every way to coordinate offers, and the part that those share which leave each decision to one store.

import type { Decision } from "../decision.ts";
import type { CoordinationName, Policy } from "../policy/policy.ts";
import type { Outcome, Part, Store, Work } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";

/** Decides for the policies that share one way to coordinate. */
export interface Coordination {
  /** Is told of a policy before it is asked about it. */
  use(policy: Policy): void;
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision | Promise<Decision>;
  /** Does what is more than a check, as one. */
  run(work: Work): Outcome | Promise<Outcome>;
  /** Puts parts into the groups that `run` can take as one. */
  split(parts: readonly Part[]): readonly (readonly Part[])[];
  reset(policy: Policy, key: string): void | Promise<void>;
  ping(): void | Promise<void>;
  /** Settles the calls in flight, then gives the store back. */
  close(): void | Promise<void>;
}

/** Opens a coordination, or returns the one that is open. */
export type CoordinationOpener = (name: CoordinationName) => Coordination;

/** Creates a coordination that asks `store` for every decision. */
export function decideInStore(store: Store, telemetry: Telemetry | undefined): Coordination {
  store.attach(telemetry);
  return {
    use: (policy) => store.use?.(policy),
    decide: (policy, key, cost, consume) => store.decide(policy, key, cost, consume),
    run: (work) => store.run(work),
    split: (parts) => store.split(parts),
    reset: (policy, key) => store.reset(policy, key),
    ping: () => store.ping(),
    close: () => store.detach(telemetry),
  };
}
