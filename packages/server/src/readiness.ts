// Whether this node should be sent requests: one answer for HTTP, gRPC and the log. A store that is away changes
// nothing of it, since the policies answer then; and nobody who asks has to wait for the store.

import type { ServiceGossip, ShownGossip } from "./peers/service-gossip.ts";
import type { NodeCircuit, StoreCircuits } from "./telemetry/store-circuits.ts";
import type { StoreState, StoreWatch } from "./telemetry/store-watch.ts";

/** The body of /readyz: ready or not, and how the store does. */
export interface ReadinessAnswer {
  readonly ready: boolean;
  /** "unknown" while starting, and never after. */
  readonly store: StoreState;
  readonly draining: boolean;
  /** Of a store that is shared, by node. */
  readonly circuits: readonly NodeCircuit[];
  /** Of a service that gossips. */
  readonly gossip?: ShownGossip;
}

/**
 * Ready from when all doors are open, it is known whether the store answers, and the node has learned what those that
 * it gossips with have counted, until the service drains.
 */
export interface Readiness {
  readonly draining: boolean;
  check(): ReadinessAnswer;
  /** All doors are open. */
  opened(): void;
  startDraining(): void;
}

/** Creates the readiness of a service whose store is watched, and that may gossip. */
export function createReadiness(
  watch: StoreWatch,
  circuits: StoreCircuits,
  gossip?: Pick<ServiceGossip, "show">,
): Readiness {
  let open = false;
  let draining = false;
  return {
    get draining() {
      return draining;
    },
    check() {
      // It may answer pings and yet be too slow for what is asked of it.
      const away = watch.state === "reachable" && circuits.stateOf("") !== "closed";
      const shown = gossip?.show();
      const isReady = open && watch.state !== "unknown" && shown?.joined !== false;
      return {
        ready: isReady && !draining,
        store: away ? "unavailable" : watch.state,
        draining,
        circuits: circuits.list(),
        ...(shown === undefined ? {} : { gossip: shown }),
      };
    },
    opened() {
      open = true;
    },
    startDraining() {
      draining = true;
    },
  };
}
