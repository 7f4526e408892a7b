// One checkout's library in its own process. Arguments: the checkout, "token-bucket" or "fixed-window", the number of
// keys, and for Redis its port. All that is not the library is this checkout's, the Redis client included.

import { Redis } from "ioredis";
import { answerMeasurements } from "../process/answer.ts";
import { closedLoop } from "../process/load.ts";
import { doorOf } from "./checkout.ts";

const CHUNK = 1_024;

const [checkout, algorithm, keyCountText, portText] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);

type Library = typeof import("tidegate");
type RedisDoor = typeof import("tidegate/redis");
const library = (await import(doorOf(checkout!, "."))) as Library;
const { createLimiter, fixedWindow, tokenBucket } = library;

const client =
  portText === undefined
    ? undefined
    : new Redis({ port: Number(portText), autoResendUnfulfilledCommands: false });

// Never denied, and never as if unused again while it is measured: the first check takes an hour's refill.
const limit =
  algorithm === "token-bucket"
    ? tokenBucket({ capacity: 1_000_000_000, refill: "100/s" })
    : fixedWindow({ limit: 1_000_000_000, window: "1d" });
const limiter = createLimiter({ ...(await storeOption()), policies: { api: { limits: [limit] } } });

async function storeOption(): Promise<{ store?: ReturnType<RedisDoor["redisStore"]> }> {
  if (client === undefined) return {};
  const { redisStore } = (await import(doorOf(checkout!, "./redis"))) as RedisDoor;
  return { store: redisStore({ client, prefix: `against-${process.pid}` }) };
}

for (let from = 0; from < keyCount; from += CHUNK) {
  const some = keys.slice(from, from + CHUNK);
  await Promise.all(some.map((key) => limiter.check({ policy: "api", key, cost: 360_000 })));
}

let position = 0;

async function loop(count: number): Promise<void> {
  let at = position;
  let allowed = 0;
  for (let index = 0; index < count; index += 1) {
    const decision = await limiter.check({ policy: "api", key: keys[at]! });
    if (decision.allowed) allowed += 1;
    at += 1;
    if (at === keyCount) at = 0;
  }
  position = at;
  if (allowed !== count) throw new Error(`${algorithm} admitted ${allowed} of ${count}`);
}

async function measureMemory(sliceMs: number): Promise<number> {
  const started = performance.now();
  let decisions = 0;
  let elapsedMs = 0;
  do {
    await loop(CHUNK);
    decisions += CHUNK;
    elapsedMs = performance.now() - started;
  } while (elapsedMs < sliceMs);
  return (1_000 * decisions) / elapsedMs;
}

function measureRedis(concurrency: number, sliceMs: number): Promise<number> {
  return closedLoop(
    async (index) => {
      const { allowed } = await limiter.check({ policy: "api", key: keys[index % keyCount]! });
      if (!allowed) throw new Error(`${algorithm} was denied`);
    },
    concurrency,
    sliceMs,
  );
}

answerMeasurements({}, async ({ sliceMs, concurrency }) => {
  return {
    perSecond:
      client === undefined
        ? await measureMemory(sliceMs as number)
        : await measureRedis(concurrency as number, sliceMs as number),
  };
});
