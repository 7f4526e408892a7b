// What the nodes of one process share: how they are configured, and messages between threads.

import type { Transport } from "tidegate";

/** Node 0 is measured; the others run in a thread. */
export const NODE_COUNT = 5;
export const GOSSIP = { interval: "1s", secret: "the secret of a benchmark" } as const;

/** Never empty while it is measured, and never full again. */
export const BUCKET = { capacity: 1_000_000, refill: "100/h" } as const;

/** A message of one node to another. */
export interface ThreadMessage {
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** Name of a key. */
export function nameOf(place: number): string {
  return `user:${1_000_000 + place}`;
}

/** Creates a node's transport, and what takes the messages that come from elsewhere. */
export function createThreadTransport(place: number, post: (message: ThreadMessage) => void) {
  const address = addressOf(place);
  let receive: (message: Uint8Array) => void = () => undefined;
  const transport: Transport = {
    address,
    open: (taker) => {
      receive = taker;
    },
    send: (to, bytes) => post({ to, bytes }),
    members: () => Array.from({ length: NODE_COUNT }, (_, other) => addressOf(other)),
    close: () => undefined,
  };
  const received = ({ to, bytes }: ThreadMessage) => {
    if (to === address) receive(bytes);
  };
  return { transport, received };
}

function addressOf(place: number): string {
  return `node-${place}`;
}
