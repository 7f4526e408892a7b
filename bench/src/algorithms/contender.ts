// One subject in its own process, in memory or in one Redis. Arguments: its name, the number of keys, and for Redis its
// port.

import { Redis } from "ioredis";
import { createLimiter } from "tidegate";
import { redisStore } from "tidegate/redis";
import { answerMeasurements } from "../process/answer.ts";
import { closedLoop } from "../process/load.ts";
import { commandCalls } from "./in-redis.ts";
import { subjectOf } from "./subjects.ts";

/** Decisions between two looks at the clock, and keys that are prepared at once. */
const CHUNK = 1_000;

const [name, keyCountText, portText] = process.argv.slice(2);
const subject = subjectOf(name);
const keyCount = Number(keyCountText);
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);
const client =
  portText === undefined
    ? undefined
    : new Redis({ port: Number(portText), autoResendUnfulfilledCommands: false });
const limiter = createLimiter({
  policies: subject.policies,
  ...(client === undefined
    ? {}
    : { store: redisStore({ client, prefix: subject.name.replaceAll(/\W/g, "-") }) }),
});

for (let from = 0; from < keyCount; from += CHUNK) {
  const some = keys.slice(from, from + CHUNK);
  await Promise.all(some.map((key) => subject.prepare(limiter, key)));
}

/** Asks for `count` keys in turn, each after the answer to the one before. Returns how many were admitted. */
async function loop(from: number, count: number): Promise<number> {
  let allowed = 0;
  for (let index = 0, at = from; index < count; index += 1) {
    const decision = await subject.ask(limiter, keys[at]!);
    if (decision.allowed) allowed += 1;
    at += 1;
    if (at === keyCount) at = 0;
  }
  return allowed;
}

let position = 0;

async function measureMemory(sliceMs: number): Promise<Record<string, number>> {
  const started = performance.now();
  let decisions = 0;
  let elapsedMs = 0;
  do {
    const allowed = await loop(position, CHUNK);
    if (allowed !== CHUNK) throw new Error(`${name} admitted ${allowed} of ${CHUNK}`);
    decisions += CHUNK;
    position = (position + CHUNK) % keyCount;
    elapsedMs = performance.now() - started;
  } while (elapsedMs < sliceMs);
  return { perSecond: (1_000 * decisions) / elapsedMs };
}

async function measureRedis(
  redis: Redis,
  concurrency: number,
  sliceMs: number,
): Promise<Record<string, number>> {
  const before = await commandCalls(redis);
  let decisions = 0;
  const perSecond = await closedLoop(
    async () => {
      decisions += 1;
      const { allowed } = await subject.ask(limiter, keys[decisions % keyCount]!);
      if (!allowed) throw new Error(`${name} was denied`);
    },
    concurrency,
    sliceMs,
  );
  const calls = (await commandCalls(redis)) - before;
  return { perSecond, commands: calls / decisions };
}

answerMeasurements({}, ({ sliceMs, concurrency }) => {
  return client === undefined
    ? measureMemory(sliceMs as number)
    : measureRedis(client, concurrency as number, sliceMs as number);
});
