// Logs what becomes of the other nodes: a line for each change, and seldom one for messages that are refused.

import type { PeerChange } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "./logger.ts";

const QUIET_MS = 10_000;

const ADVICE: Readonly<Record<string, string>> = {
  unsigned: "a node with another peers.secret, or a stranger",
  version: "a node of another version",
  "too-large": "a node with a larger gossip.maxMessageSize, or a stranger",
  malformed: "no node of this cluster",
};

/** A log of the other nodes. */
export interface PeersLog {
  changed(change: PeerChange): void;
  /** A message was refused. */
  refused(reason: string): void;
}

/**
 * Creates it.
 * @param whyAway tells why nothing is heard of a node.
 */
export function createPeersLog(
  logger: Logger,
  timers: Pick<Timers, "now">,
  whyAway: (address: string) => string | undefined,
): PeersLog {
  /** By reason, when the last line was, and how many were left out since. */
  const refusals = new Map<string, { saidMs: number; leftOut: number }>();
  return {
    changed({ peer, reachable, nodes }) {
      const { address, region, state } = peer;
      const fields = { peer: address, ...(region === "" ? {} : { region }), reachable, nodes };
      if (state === "reachable") logger.info(fields, "peer is reachable");
      else if (state === "left") logger.info(fields, "peer left");
      else {
        const reason = whyAway(address);
        logger.warn(reason === undefined ? fields : { ...fields, reason }, "peer is away");
      }
    },
    refused(reason) {
      const nowMs = timers.now();
      const spoken = refusals.get(reason);
      if (spoken !== undefined && nowMs - spoken.saidMs < QUIET_MS) {
        spoken.leftOut += 1;
        return;
      }
      refusals.set(reason, { saidMs: nowMs, leftOut: 0 });
      const from = ADVICE[reason] ?? "not known";
      const leftOut = spoken?.leftOut ?? 0;
      logger.warn({ reason, from, leftOut }, "a message of the gossip was refused");
    },
  };
}
