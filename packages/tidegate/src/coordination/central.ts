// Central: the shared store decides every request atomically, so that all nodes together keep the limit exactly.

import { TidegateError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { type Coordination, decideInStore } from "./coordination.ts";

/**
 * Creates the central coordination over a shared store.
 * @throws TidegateError INVALID_OPTION where the store is not shared.
 */
export function createCentral(store: Store, telemetry: Telemetry | undefined): Coordination {
  if (!store.shared) {
    throw new TidegateError(
      "INVALID_OPTION",
      'coordination "central" needs a store that nodes share, such as redisStore(), got one in memory; ' +
        'pass a redisStore(), or set coordination to "local"',
      { field: "coordination" },
    );
  }
  return decideInStore(store, telemetry);
}
