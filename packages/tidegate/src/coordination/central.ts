// Central: the shared store decides every request atomically, so that all nodes together keep the limit exactly.

import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { type Coordination, decideInStore } from "./coordination.ts";

/** Creates the central coordination over a store that nodes share. */
export function createCentral(store: Store, telemetry: Telemetry | undefined): Coordination {
  return decideInStore(store, telemetry);
}
