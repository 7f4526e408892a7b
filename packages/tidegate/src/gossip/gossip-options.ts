// How the nodes of a limiter gossip, as an application writes it.

import { parseDuration } from "../policy/duration.ts";
import { checkOptions, optionError, positiveInteger } from "../policy/options.ts";
import type { Transport } from "../ports/transport.ts";
import { MAX_ADDRESS } from "./message.ts";

/** Options of coordination "gossip". */
export interface GossipOptions {
  /** Carries the messages, and knows which nodes there should be. */
  readonly transport: Transport;
  /** How often a node exchanges counts with others of its region, "10ms" to "1m"; default "100ms". */
  readonly interval?: string | number;
  /** With how many nodes in each round, 1 to 16; default 2. */
  readonly fanout?: number;
  /** How often regions exchange counts, through two nodes of each; at least `interval`, default "1s". */
  readonly regionInterval?: string | number;
  /**
   * What all nodes know and no stranger does, at least 16 characters: messages that are not signed with it are refused.
   * Left out, any message is believed, which only a network of one's own allows.
   */
  readonly secret?: string;
  /** The largest message in bytes, 1,024 to 4,000,000; default 1,048,576. What does not fit waits for the next. */
  readonly maxMessageBytes?: number;
}

/** The same, checked. */
export interface CheckedGossip {
  readonly transport: Transport;
  readonly intervalMs: number;
  readonly fanout: number;
  readonly regionIntervalMs: number;
  readonly secret: string | undefined;
  readonly maxMessageBytes: number;
}

const OPTIONS = [
  ...["transport", "interval", "fanout", "regionInterval", "secret", "maxMessageBytes"],
];

/** @throws TidegateError INVALID_OPTION naming the option. */
export function checkGossip(options: GossipOptions): CheckedGossip {
  checkOptions("gossip", options, OPTIONS);
  const { transport, fanout = 2, maxMessageBytes = 1_048_576, secret } = options;
  checkTransport(transport);
  if (secret !== undefined && (typeof secret !== "string" || secret.length < 16)) {
    // What is wrong with a secret is said without it.
    throw optionError(
      "gossip.secret",
      "a text of at least 16 characters",
      `${String(secret).length} characters`,
    );
  }
  const intervalMs = checkInterval("gossip.interval", options.interval, 100, 10);
  if (!Number.isInteger(maxMessageBytes) || maxMessageBytes < 1_024) {
    throw optionError("gossip.maxMessageBytes", "a whole number of at least 1024", maxMessageBytes);
  }
  return {
    transport,
    intervalMs,
    fanout: positiveInteger("gossip.fanout", fanout, 16),
    regionIntervalMs: checkInterval(
      "gossip.regionInterval",
      options.regionInterval,
      Math.max(1_000, intervalMs),
      intervalMs,
    ),
    secret,
    maxMessageBytes: positiveInteger("gossip.maxMessageBytes", maxMessageBytes, 4_000_000),
  };
}

function checkTransport(transport: Transport): void {
  const methods = ["open", "send", "members", "close"] as const;
  if (!methods.every((method) => typeof transport?.[method] === "function")) {
    const expected = "a transport with address, open(), send(), members() and close()";
    throw optionError("gossip.transport", expected, transport);
  }
  const { address } = transport;
  if (typeof address !== "string" || address.length > MAX_ADDRESS) {
    const expected = `a text of at most ${MAX_ADDRESS} characters`;
    throw optionError("gossip.transport.address", expected, address);
  }
}

function checkInterval(field: string, value: unknown, standardMs: number, leastMs: number): number {
  if (value === undefined) return standardMs;
  const milliseconds = parseDuration(field, value);
  if (milliseconds < leastMs || milliseconds > 60_000) {
    throw optionError(field, `a duration from ${leastMs}ms to 1m`, value);
  }
  return milliseconds;
}
