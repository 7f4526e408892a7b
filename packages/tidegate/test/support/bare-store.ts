// A store without what answers in its place: its own failures reach the caller, as they do what guards it.

import type { Store } from "tidegate";

/** Returns the store as one that a limiter does not guard. */
export function bareStore(store: Store): Store {
  return {
    shared: false,
    decide: (policy, key, cost, consume) => store.decide(policy, key, cost, consume),
    run: (work) => store.run(work),
    split: (parts) => store.split(parts),
    reset: (policy, key) => store.reset(policy, key),
    ping: () => store.ping(),
    attach: (telemetry) => store.attach(telemetry),
    detach: (telemetry) => store.detach(telemetry),
  };
}
