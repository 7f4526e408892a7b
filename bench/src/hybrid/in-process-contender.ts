// One limiter in its own process, by leases or in memory: makes its keys warm before each measurement, then measures
// decisions per second over them. Arguments: "hybrid" or "local", the port of Redis, the number of keys.

import { createLimiter, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { answerMeasurements } from "../process/answer.ts";

const [coordination, portText, keyCountText] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);
/** Decisions between two looks at the clock. */
const CHUNK = 1_024;
/** Keys that are asked for at once where they are made warm. */
const AT_ONCE = 1_000;

const limits = [tokenBucket({ capacity: 1_000_000_000, refill: "100/s" })];
const limiter =
  coordination === "hybrid"
    ? createLimiter({
        store: redisStore({ url: `redis://127.0.0.1:${portText}` }),
        policies: {
          api: {
            ...{ coordination: "hybrid", syncInterval: "10s", limits },
            ...{ deadline: "1s", onStoreFailure: "deny" },
          },
        },
      })
    : createLimiter({ policies: { api: { coordination: "local", limits } } });
const source = coordination === "hybrid" ? "lease" : "local";
let position = 0;

answerMeasurements({}, async ({ sliceMs }) => {
  await warm();
  const started = performance.now();
  let decisions = 0;
  let elapsedMs = 0;
  do {
    await decide(position, CHUNK);
    decisions += CHUNK;
    position = (position + CHUNK) % keyCount;
    elapsedMs = performance.now() - started;
  } while (elapsedMs < (sliceMs as number));
  return { perSecond: (1_000 * decisions) / elapsedMs };
});

async function decide(from: number, count: number): Promise<void> {
  for (let index = 0, at = from; index < count; index += 1) {
    const decision = await limiter.check({ policy: "api", key: keys[at]! });
    if (!decision.allowed || decision.source !== source) throw new Error(JSON.stringify(decision));
    at += 1;
    if (at === keyCount) at = 0;
  }
}

async function warm(): Promise<void> {
  for (let from = 0; from < keyCount; from += AT_ONCE) {
    const some = keys.slice(from, from + AT_ONCE);
    await Promise.all(some.map((key) => limiter.check({ policy: "api", key })));
  }
}
