// How the nodes of a limiter gossip, as an application writes it.

import type { Transport } from "../ports/transport.ts";

/** Options of coordination "gossip". */
export interface GossipOptions {
  /** Carries the messages, and knows which nodes there should be. */
  readonly transport: Transport;
  /** How often a node exchanges counts with others of its region, "10ms" to "1m"; default "100ms". */
  readonly interval?: string | number;
  /** With how many nodes in each round, 1 to 16; default 2. */
  readonly fanout?: number;
  /** Where this node stands; default "". Nodes of one region gossip closely. */
  readonly region?: string;
  /** How often regions exchange counts, through two nodes of each; at least `interval`, default "1s". */
  readonly regionInterval?: string | number;
  /**
   * What all nodes know and no stranger does, at least 16 characters: messages that are not signed with it are refused.
   * Left out, any message is believed, which only a network of one's own allows.
   */
  readonly secret?: string;
  /** The largest message in bytes, 1,024 to 4,000,000; default 256 KiB. What does not fit waits for the next. */
  readonly maxMessageBytes?: number;
}
