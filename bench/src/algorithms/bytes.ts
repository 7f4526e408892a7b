// Bytes that a key takes, in a process of its own: in memory the heap and array buffers after a collection, less the
// same before; in Redis MEMORY USAGE of all keys. Arguments: the subject's name, the number of keys, how many times
// each holds what it holds, and for Redis its port.

import { Redis } from "ioredis";
import { createLimiter } from "tidegate";
import { redisStore } from "tidegate/redis";
import { answerMeasurements } from "../process/answer.ts";
import { bytesOf } from "./in-redis.ts";
import { subjectOf } from "./subjects.ts";

const [name, keyCountText, timesText, portText] = process.argv.slice(2);
const subject = subjectOf(name);
const { policies } = subject;
const keyCount = Number(keyCountText);
const times = Number(timesText);
// Made before and kept alive, so they do not count in memory.
const keys = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);

function usedBytes(): number {
  for (let round = 0; round < 4; round += 1) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measureMemory(): Promise<number> {
  const before = usedBytes();
  const limiter = createLimiter({ policies });
  for (let time = 0; time < times; time += 1) {
    for (const key of keys) await subject.hold(limiter, key);
  }
  const after = usedBytes();
  await subject.hold(limiter, keys[0]!);
  return after - before;
}

async function measureRedis(port: number): Promise<number> {
  const client = new Redis({ port, autoResendUnfulfilledCommands: false });
  const prefix = `bytes-${subject.name.replaceAll(/\W/g, "-")}-${times}`;
  const limiter = createLimiter({ policies, store: redisStore({ client, prefix }) });
  for (let time = 0; time < times; time += 1) {
    await Promise.all(keys.map((key) => subject.hold(limiter, key)));
  }
  return bytesOf(client, prefix);
}

answerMeasurements({}, async () => {
  const bytes = await (portText === undefined ? measureMemory() : measureRedis(Number(portText)));
  return { bytesPerKey: bytes / keyCount };
});
