// What the service counts of the gossip, as plain numbers, and whom it asks how the gossip stands.

import type { GossipMessage, GossipStatus } from "tidegate";
import type { LossReason } from "../peers/peer-link.ts";

/** Why a message is refused that another node, or a stranger, has sent. */
export const REFUSALS = ["malformed", "unsigned", "version", "too-large"] as const;
/** Why a message to another node is given up. */
export const LOSSES: readonly LossReason[] = ["queue", "unreachable", "refused", "too-large"];

/** Counts of the gossip. */
export class GossipCounts {
  readonly messages = { sent: 0, received: 0 };
  readonly bytes = { sent: 0, received: 0 };
  /** By reason. */
  readonly refused = new Map<string, number>(REFUSALS.map((reason) => [reason, 0]));
  readonly lost = new Map<string, number>(LOSSES.map((reason) => [reason, 0]));
  readonly #noteRefusal: (reason: string) => void;
  #status: (() => GossipStatus) | undefined;

  /** @param noteRefusal is told of each message that is refused. */
  constructor(noteRefusal: (reason: string) => void = () => undefined) {
    this.#noteRefusal = noteRefusal;
  }

  /** Takes a message down. */
  gossiped({ direction, bytes, reason }: GossipMessage): void {
    if (direction === "refused") {
      const why = reason ?? "malformed";
      this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
      this.#noteRefusal(why);
    } else {
      this.messages[direction] += 1;
      this.bytes[direction] += bytes;
    }
  }

  /** Takes a message down that was given up. */
  losing(reason: LossReason): void {
    this.lost.set(reason, (this.lost.get(reason) ?? 0) + 1);
  }

  /** Is given whom to ask. */
  watch(status: () => GossipStatus): void {
    this.#status = status;
  }

  /** Returns how the gossip stands; undefined before it has begun. It looks at every key. */
  status(): GossipStatus | undefined {
    return this.#status?.();
  }
}
