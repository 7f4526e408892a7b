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
  /** A message of the gossip between nodes was sent, received or refused. */
  gossiped?(event: GossipMessage): void;
  /** A node that this one gossips with became reachable, is away, or left. Told once for each change. */
  peerChanged?(change: PeerChange): void;
  /**
   * Is told once of each limiter that gossips: `status` answers how it stands. `keysInDebt` and `debtUnits` of what it
   * answers are to be read seldom, since that looks at every key.
   */
  gossipWatched?(status: () => GossipStatus): void;
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

/** A message of the gossip. */
export interface GossipMessage {
  readonly direction: "sent" | "received" | "refused";
  readonly bytes: number;
  /** Of those refused: what was wrong with it. */
  readonly reason?: "malformed" | "unsigned" | "version" | "too-large";
}

/** Whether a node is heard from: directly or through others. */
export type PeerState = "reachable" | "away" | "left";

/** A node that this one gossips with. */
export interface Peer {
  readonly address: string;
  /** Names one life of a node: another after each start. "" where it was never heard from. */
  readonly instance: string;
  readonly region: string;
  readonly state: PeerState;
  /** For how long it has been so, in milliseconds. */
  readonly sinceMs: number;
  /** Age of what is known of it, in milliseconds; undefined where nothing is. */
  readonly lagMs: number | undefined;
}

/** What became of a node. */
export interface PeerChange {
  readonly peer: Peer;
  /** Nodes that are reachable now, this one included, and how many there are. */
  readonly reachable: number;
  readonly nodes: number;
}

/** How the gossip of a limiter stands. */
export interface GossipStatus {
  readonly address: string;
  readonly instance: string;
  readonly region: string;
  /** Whether it has learned what the others counted before it came, or found that there is nobody to learn from. */
  readonly joined: boolean;
  readonly peers: readonly Peer[];
  /** Rounds begun. */
  readonly rounds: number;
  /** Age of the oldest news of a node that is reachable, in milliseconds. */
  readonly lagMs: number;
  /** Keys that are counted, those in debt, and those whose counts wait for their turn to be sent. */
  readonly keys: number;
  readonly keysInDebt: number;
  readonly keysWaiting: number;
  /** Units that all nodes admitted beyond the limits and that are not repaid yet, as far as this node knows. */
  readonly debtUnits: number;
  /** Units that were beyond what could be repaid, in all: the overshoot that stays. */
  readonly forgivenUnits: number;
}
