// Whether this node should be sent requests: one answer for HTTP, gRPC and the log.

import type { StoreState, StoreWatch } from "./telemetry/store-watch.ts";

/** The body of /readyz: ready, and if not, what is missing. */
export interface ReadinessAnswer {
  readonly ready: boolean;
  readonly store: StoreState;
  readonly draining: boolean;
}

/** Ready where the store answers and the service is not draining. */
export interface Readiness {
  readonly draining: boolean;
  /** Asks the store anew. */
  check(): Promise<ReadinessAnswer>;
  startDraining(): void;
}

/** Creates the readiness of a service whose store is watched. */
export function createReadiness(watch: StoreWatch): Readiness {
  let draining = false;
  return {
    get draining() {
      return draining;
    },
    async check() {
      const reachable = await watch.check();
      return { ready: reachable && !draining, store: watch.state, draining };
    },
    startDraining() {
      draining = true;
    },
  };
}
