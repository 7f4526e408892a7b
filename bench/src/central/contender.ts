// One way to decide in Redis, in its own process. Arguments: which one, the port of Redis, the number of keys.

import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createLimiter, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { answerMeasurements } from "../process/answer.ts";
import { closedLoop, openLoop, type Send } from "../process/load.ts";

const [which, portText, keyCountText] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);
const client = new Redis({
  port: Number(portText),
  host: "127.0.0.1",
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: which === "evalsha-pipelined",
});
/** Never denied; in microseconds as the script wants them. */
const BUCKET = { capacity: 1_000_000_000, refill: "100/s", periodUs: 10_000, units: 1 };

const send = await createSend();

async function createSend(): Promise<Send> {
  switch (which) {
    case "tidegate": {
      const limiter = createLimiter({
        store: redisStore({ client }),
        policies: {
          api: { limits: [tokenBucket({ capacity: BUCKET.capacity, refill: BUCKET.refill })] },
        },
      });
      return async (index) => {
        const decision = await limiter.check({ policy: "api", key: keys[index % keyCount]! });
        if (!decision.allowed) throw new Error("denied");
      };
    }
    case "evalsha":
    case "evalsha-pipelined": {
      // The very script that Tidegate sends, with one check in each call.
      const script = new URL(
        "../../../packages/tidegate/src/stores/redis/decide.lua",
        import.meta.url,
      );
      const sha = String(await client.script("LOAD", readFileSync(script, "utf8")));
      const rule = `tb,${BUCKET.periodUs},${BUCKET.units}`;
      const limit = [BUCKET.capacity, BUCKET.periodUs, BUCKET.units];
      return async (index) => {
        const name = `${which}:{api:${keys[index % keyCount]!}}`;
        const reply = await client.evalsha(sha, 1, name, 1, rule, 1, 1, ...limit, 1);
        if ((reply as number[])[1]! % 2 !== 1) throw new Error("denied");
      };
    }
    case "ping":
      return () => client.ping();
    case "rate-limiter-flexible": {
      const limiter = new RateLimiterRedis({
        storeClient: client,
        points: BUCKET.capacity,
        duration: 3_600,
      });
      return (index) => limiter.consume(keys[index % keyCount]!);
    }
    default:
      throw new Error(`unknown contender ${which}`);
  }
}

async function redisCpuSeconds(): Promise<number> {
  const info = await client.info("cpu");
  const seconds = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread");
}

answerMeasurements({}, async ({ sliceMs, concurrency, perSecond }) => {
  if (typeof perSecond === "number") {
    const latencies = await openLoop(send, perSecond, sliceMs as number);
    return { ...latencies };
  }
  const cpuBefore = await redisCpuSeconds();
  const ownBefore = process.cpuUsage();
  const started = performance.now();
  const answered = await closedLoop(send, concurrency as number, sliceMs as number);
  const elapsed = (performance.now() - started) / 1_000;
  const own = process.cpuUsage(ownBefore);
  const decisions = answered * elapsed;
  const redisUs = (1e6 * ((await redisCpuSeconds()) - cpuBefore)) / decisions;
  return { perSecond: answered, redisUs, nodeUs: (own.user + own.system) / decisions };
});
