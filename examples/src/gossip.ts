// Three limiters that share a limit by gossip, in one process, over a transport of one's own: what it takes to carry
// the messages over whatever connects your nodes. Services and Redis need none: see docs/coordination.md.
// Run: node --conditions=@tidegate/source examples/src/gossip.ts

import { setTimeout as sleep } from "node:timers/promises";
import { createLimiter, type Limiter, type Transport, tokenBucket } from "tidegate";

const ADDRESSES = ["a", "b", "c"];

/** The network: who receives at an address. */
const receivers = new Map<string, (message: Uint8Array) => void>();

function createTransport(address: string): Transport {
  return {
    address,
    members: () => ADDRESSES,
    open: (receive) => void receivers.set(address, receive),
    // It may lose, repeat and reorder messages. The sender writes over its own, so what is on its way is a copy.
    send: (to, message) => {
      const copy = message.slice();
      setImmediate(() => receivers.get(to)?.(copy));
    },
    close: () => void receivers.delete(address),
  };
}

const limiters = new Map<string, Limiter>();
for (const address of ADDRESSES) {
  limiters.set(
    address,
    createLimiter({
      coordination: "gossip",
      gossip: { transport: createTransport(address), interval: "50ms" },
      policies: { api: { limits: [tokenBucket({ capacity: 30, refill: "1/h" })] } },
    }),
  );
}
const request = { policy: "api", key: "user:42" };

/** Waits until a node has heard how much is left of the limit. */
async function hear(limiter: Limiter, left: number): Promise<void> {
  while ((await limiter.peek(request)).remaining !== left) await sleep(10);
}

// A node that begins learns what the others know before it is asked.
await Promise.all([...limiters.values()].map((limiter) => limiter.ping()));
let left = 30;
for (const [address, limiter] of limiters) {
  for (let turn = 0; turn < 3; turn += 1) {
    const { allowed } = await limiter.check(request);
    if (allowed) left -= 1;
  }
  await Promise.all([...limiters.values()].map((one) => hear(one, left)));
  process.stdout.write(`${address} was asked three times; all know that ${left} are left\n`);
}
await Promise.all([...limiters.values()].map((limiter) => limiter.close()));
