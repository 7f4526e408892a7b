// One limiter in its own process, by leases or in memory: makes its keys warm before each measurement, then measures
// decisions per second over them. Arguments: "hybrid" or "local", the port of Redis, the number of keys.

import { createLimiter, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { answerMeasurements } from "../process/answer.ts";
import { WarmLoop } from "../process/decide-warm.ts";

const [coordination, portText, keyCountText] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);
const TRIES = 5;

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
const loop = new WarmLoop({ limiter, keys, source });

answerMeasurements({}, async ({ sliceMs }) => {
  for (let tried = 1; ; tried += 1) {
    await loop.warm();
    // Now and then Redis is kept from its processor.
    const perSecond = await loop.measure(sliceMs as number);
    if (perSecond !== undefined) return { perSecond };
    if (tried === TRIES)
      throw new Error(`${TRIES} slices had decisions that were not by ${source}`);
  }
});
