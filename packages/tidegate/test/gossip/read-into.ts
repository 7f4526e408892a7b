// Reads a message into a replica, as a node does.

import { readMessage } from "../../src/gossip/read-message.ts";
import type { Replica } from "../../src/gossip/replica.ts";

/** @param writtenAt when it was written, or earlier, by the replica's clock. */
export function readInto(
  replica: Replica,
  message: Uint8Array,
  now = 0,
  writtenAt: number = now,
): void {
  readMessage(message, {
    head() {},
    digest: (entries) => replica.noteAges(entries, writtenAt),
    begin: (head) => replica.begin(head, now, writtenAt),
    register: (sent) => replica.register(sent),
    end: (end) => replica.end(end),
    done() {},
  });
}
