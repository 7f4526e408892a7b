// Local: this node decides alone, from its own memory. N nodes together admit up to N times the limit.

import { TidegateError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { type Coordination, decideInStore } from "./coordination.ts";

/**
 * Creates the local coordination over a store of this process.
 * @throws TidegateError INVALID_OPTION where the store is a shared one.
 */
export function createLocal(store: Store, telemetry: Telemetry | undefined): Coordination {
  if (store.shared) {
    throw new TidegateError(
      "INVALID_OPTION",
      'coordination "local" decides in memory and takes a memoryStore(), got a shared store; ' +
        'leave the store out, or set coordination to "central"',
      { field: "coordination" },
    );
  }
  return decideInStore(store, telemetry);
}
