// A row for each algorithm and for the calls that are more than a check: how many decisions a second, and how many
// bytes a key takes, in memory and in one Redis.

import { startRedis } from "../../../test/support/redis-server.ts";
import type { Benchmark, Effort } from "../benchmark.ts";
import { type Contender, interleave, startContender } from "../process/contender.ts";
import type { Column, Measurement, Section } from "../report/section.ts";
import { median } from "../report/statistics.ts";
import { COMPARATOR, SUBJECTS, type Subject } from "./subjects.ts";

const CONTENDER_FILE = new URL("./contender.ts", import.meta.url);
const BYTES_FILE = new URL("./bytes.ts", import.meta.url);

/** Where it is measured. */
interface Place {
  readonly title: string;
  readonly how: string;
  /** The last argument of a process; none is memory. */
  readonly port: readonly string[];
  readonly keys: number;
  /** Keys whose bytes are counted, each holding one, and each holding many. */
  readonly bytesKeys: number;
  readonly manyKeys: number;
}

const WHAT =
  "None is ever denied. The log's window is ten seconds, so that it forgets as much as it takes; a " +
  "key of permits holds one all the time beside the one that is acquired and released; the three " +
  "limits are a token bucket, a sliding and a calendar window; the three keys have a token bucket " +
  "each. Two calls that belong together count as one.";

const MEMORY: Place = {
  title: "Algorithms, in memory",
  how:
    "One loop that awaits each answer before the next, over 100,000 keys in turn. " +
    `${WHAT} Bytes are heap and array buffers after a forced collection, less the same before, of ` +
    "keys that were asked once, a log with one entry, a key with one permit, one reservation that " +
    "is not settled; key strings are not counted.",
  port: [],
  keys: 100_000,
  bytesKeys: 100_000,
  manyKeys: 20_000,
};

const CONCURRENCY = 1_024;

function redisPlace(port: number): Place {
  return {
    title: "Algorithms, one Redis",
    how:
      `One process keeps ${CONCURRENCY.toLocaleString("en-US")} requests in flight over 10,000 keys, through one ` +
      `ioredis client. ${WHAT} Commands are those that Redis counts (INFO commandstats), the ones that scripts call ` +
      "among them. Bytes are MEMORY USAGE of all that is kept for a key, names included.",
    port: [String(port)],
    keys: 10_000,
    bytesKeys: 1_000,
    manyKeys: 1_000,
  };
}

/** The benchmark "algorithms". */
export const algorithmsBenchmark: Benchmark = {
  name: "algorithms",
  async run(effort) {
    const memory = await runPlace(MEMORY, effort);
    const redis = await startRedis();
    try {
      return [memory, await runPlace(redisPlace(redis.port), effort)];
    } finally {
      await redis.stop();
    }
  },
};

async function runPlace(place: Place, effort: Effort): Promise<Section> {
  const results = await runThroughput(place, effort);
  const bytes: number[] = [];
  for (const subject of SUBJECTS) {
    bytes.push(await runBytes(subject, place, { keys: place.bytesKeys, times: 1 }));
  }
  const remarks: string[] = [];
  for (const [index, subject] of SUBJECTS.entries()) {
    if (subject.many !== undefined) remarks.push(await runMany(subject, place, bytes[index]!));
  }
  return {
    title: place.title,
    how: place.how,
    measurements: SUBJECTS.map(({ name }, index): Measurement => {
      const values = results[index]!.map(({ perSecond }) => perSecond!);
      return {
        contender: name,
        unit: "per second",
        values,
        columns: columnsOf(results[index]!, bytes[index]!),
      };
    }),
    comparator: COMPARATOR,
    goals: [],
    remarks,
  };
}

function columnsOf(results: readonly Record<string, number>[], bytes: number): Column[] {
  const { commands } = results[0]!;
  return [
    ...(commands === undefined
      ? []
      : [
          {
            title: "Redis commands",
            unit: "commands" as const,
            value: median(results.map((result) => result.commands!)),
          },
        ]),
    { title: "bytes a key", unit: "bytes" as const, value: bytes },
  ];
}

async function runThroughput(
  { port, keys }: Place,
  { rounds, sliceMs }: Effort,
): Promise<Record<string, number>[][]> {
  const contenders: Contender[] = [];
  try {
    for (const { name } of SUBJECTS) {
      contenders.push(await startContender(name, CONTENDER_FILE, [name, String(keys), ...port]));
    }
    const request = { sliceMs, concurrency: CONCURRENCY };
    await interleave(contenders, 3, request); // to compile, and for the logs to fill
    return await interleave(contenders, rounds, request);
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}

async function runBytes(
  { name }: Subject,
  { port }: Place,
  { keys, times }: { readonly keys: number; readonly times: number },
): Promise<number> {
  const args = [name, String(keys), String(times), ...port];
  const contender = await startContender(name, BYTES_FILE, args);
  try {
    return (await contender.measure()).bytesPerKey!;
  } finally {
    await contender.stop();
  }
}

function shown(bytes: number): string {
  return `${Math.round(bytes).toLocaleString("en-US")} bytes`;
}

/** Says what a key takes that holds many. */
async function runMany(subject: Subject, place: Place, one: number): Promise<string> {
  const { of, count } = subject.many!;
  const bytes = await runBytes(subject, place, { keys: place.manyKeys, times: count });
  const each = (bytes - one) / (count - 1);
  return (
    `${subject.name}: with ${count} instead of one ${of} a key takes ${shown(bytes)}, ${shown(each)} for each ` +
    `${of} more.`
  );
}
