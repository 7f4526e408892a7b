import type { Decision } from "../decision.ts";

/** Is told what happens. Every method is optional, is called synchronously, and must not throw. */
export interface Telemetry {
  /** A check was decided; peeks are not told. */
  decided?(decision: Decision): void;
  /** The store was called: "evalsha", "eval" or "ping". */
  storeCalled?(operation: string, status: "ok" | "error"): void;
  /** The memory store forgot a key that was not being limited, to stay within `maxKeys`. */
  evicted?(policy: string): void;
  /** All sampled keys were being limited, so a new key was counted in the bucket that such keys share. */
  overflowed?(policy: string): void;
  /** A lease was granted, or what was left of one given back or lost. */
  leased?(event: LeaseEvent): void;
  /** A check waits for a lease: this node held none of its key, or too little. */
  leaseAwaited?(policy: string): void;
  /**
   * Is told once of each limiter with leases: `unitsHeld` answers how many units it has in hand now, by policy. To be
   * asked seldom, since it looks at every key that has any.
   */
  leasesHeld?(unitsHeld: () => ReadonlyMap<string, number>): void;
  /** A circuit to the store changed its state. */
  circuitChanged?(change: CircuitChange): void;
  /** The store admitted a request after its deadline, when it was answered already: what it took stays taken. */
  answeredLate?(decision: Decision): void;
}

/** What became of units that the store leases to this node. */
export interface LeaseEvent {
  readonly policy: string;
  /**
   * Of those that are not spent: "returned" were given back; "expired" were not, and come back as the limit does, their
   * key was reset meanwhile, or the call that was to give them back failed.
   */
  readonly kind: "granted" | "returned" | "expired";
  readonly units: number;
}

/** Whether a store, or one node of it, is asked: always, never, or by one probe. */
export type CircuitState = "closed" | "open" | "half-open";

/** What became of a circuit. */
export interface CircuitChange {
  /** Address of the node, as the client names it; "" where there is only one. */
  readonly node: string;
  /** Calls of policies with different deadlines have circuits of their own. */
  readonly deadlineMs: number;
  readonly state: CircuitState;
  /** What the call said that failed; undefined where none did. */
  readonly reason: string | undefined;
}
