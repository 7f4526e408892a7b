// Memory of one in-memory limiter with a million keys, in its own process: heap and array buffers after a collection,
// less the same before, divided by the keys. The key strings are made before and kept alive, so they do not count.

import { RateLimiterMemory } from "rate-limiter-flexible";
import { createLimiter, tokenBucket } from "tidegate";
import { answerMeasurements } from "../process/answer.ts";

const [which, keyCountText] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);

function usedBytes(): number {
  for (let round = 0; round < 4; round += 1) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

answerMeasurements({}, async () => {
  const before = usedBytes();
  const limiter = which === "tidegate" ? createTidegate() : createFlexible();
  for (const key of keys) await limiter(key);
  const after = usedBytes();
  await limiter(keys[0]!);
  return { bytesPerKey: (after - before) / keyCount };
});

function createTidegate(): (key: string) => Promise<unknown> {
  const limits = [tokenBucket({ capacity: 1_000, refill: "1/m" })];
  const limiter = createLimiter({ policies: { api: { limits } } });
  return (key) => limiter.check({ policy: "api", key });
}

function createFlexible(): (key: string) => Promise<unknown> {
  const limiter = new RateLimiterMemory({ points: 1_000, duration: 3_600 });
  return (key) => limiter.consume(key);
}
