// One way to decide in Redis, in its own process. Arguments: which one, the port of Redis, the number of keys.

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
/** Never denied. */
const CAPACITY = 1_000_000_000;
const POLICIES = {
  api: { limits: [tokenBucket({ capacity: CAPACITY, refill: "100/s" })] },
};

const send = await createSend();

async function createSend(): Promise<Send> {
  switch (which) {
    case "tidegate": {
      const limiter = createLimiter({
        store: redisStore({ client }),
        policies: POLICIES,
      });
      return async (index) => {
        const decision = await limiter.check({ policy: "api", key: keys[index % keyCount]! });
        if (!decision.allowed) throw new Error("denied");
      };
    }
    case "evalsha":
    case "evalsha-pipelined": {
      const [text, , , ...args] = await learnCall();
      const sha = String(await client.script("LOAD", text!));
      return async (index) => {
        const name = `${which}:{api:${keys[index % keyCount]!}}`;
        const reply = await client.evalsha(sha, 1, name, ...args);
        if ((reply as number[])[1]! % 2 !== 1) throw new Error("denied");
      };
    }
    case "ping":
      return () => client.ping();
    case "rate-limiter-flexible": {
      const limiter = new RateLimiterRedis({
        storeClient: client,
        points: CAPACITY,
        duration: 3_600,
      });
      return (index) => limiter.consume(keys[index % keyCount]!);
    }
    default:
      throw new Error(`unknown contender ${which}`);
  }
}

/**
 * Learns the very call that Tidegate makes for one check, from a client that it is given and that answers nothing.
 * Returns the script's text, the number of keys, the key and the script's arguments.
 */
async function learnCall(): Promise<string[]> {
  let learned: string[] = [];
  const call = async (command: string, ...args: string[]) => {
    if (command === "EVALSHA") throw new Error("NOSCRIPT");
    learned = args;
    throw new Error("learned");
  };
  const listener = { call, evalsha: () => Promise.reject(new Error("not called")) };
  const limiter = createLimiter({ store: redisStore({ client: listener }), policies: POLICIES });
  await limiter.check({ policy: "api", key: "any" }).catch(() => undefined);
  if (learned.length < 4) throw new Error(`the call has ${learned.length} arguments`);
  return learned;
}

/** Watches the collector; the function it returns answers the longest pause so far, in milliseconds. */
function observePauses(): () => Promise<number> {
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ entryTypes: ["gc"] });
  return async () => {
    // Entries are handed over in a turn of their own.
    await new Promise<void>((resolve) => setImmediate(resolve));
    observer.disconnect();
    return longest;
  };
}

async function redisCpuSeconds(): Promise<number> {
  const info = await client.info("cpu");
  const seconds = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread");
}

answerMeasurements({}, async ({ sliceMs, concurrency, perSecond }) => {
  if (typeof perSecond === "number") {
    const pauses = observePauses();
    const latencies = await openLoop(send, perSecond, sliceMs as number);
    return { ...latencies, pauseMs: await pauses() };
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
