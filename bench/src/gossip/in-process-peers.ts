// The four nodes that the measured one gossips with, in a thread: each is asked for a part of the keys now and then.

import { parentPort, workerData } from "node:worker_threads";
import { createLimiter, tokenBucket } from "tidegate";
import {
  BUCKET,
  createThreadTransport,
  GOSSIP,
  NODE_COUNT,
  nameOf,
  type ThreadMessage,
} from "./in-process-nodes.ts";

const { keys } = workerData as { readonly keys: number };
const limits = [tokenBucket(BUCKET)];
/** All four together ask for as many keys in a second. */
const PER_SECOND = 20_000;
const TURN_MS = 20;

const takers: ((message: ThreadMessage) => void)[] = [];
const limiters = Array.from({ length: NODE_COUNT - 1 }, (_, place) => {
  const { transport, received } = createThreadTransport(place + 1, (message) => {
    if (message.to === "node-0") parentPort!.postMessage(message);
    // Not within the call that sends it, as no network does.
    else setImmediate(() => deliver(message));
  });
  takers.push(received);
  return createLimiter({
    policies: { api: { coordination: "gossip", limits } },
    gossip: { ...GOSSIP, transport },
  });
});
parentPort!.on("message", deliver);

let next = 0;
setInterval(() => {
  for (let count = 0; count < (PER_SECOND * TURN_MS) / 1_000; count += 1) {
    const limiter = limiters[next % limiters.length]!;
    void limiter.check({ policy: "api", key: nameOf(next % keys) });
    next += 1;
  }
}, TURN_MS);

function deliver(message: ThreadMessage): void {
  for (const take of takers) take(message);
}
