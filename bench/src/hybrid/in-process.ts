// Decisions a second of one process on warm leases of many keys, beside those of the memory limiter.

import { startRedis } from "../../../test/support/redis-server.ts";
import type { Effort } from "../benchmark.ts";
import { type Contender, interleave, startContender } from "../process/contender.ts";
import type { Profile, Section } from "../report/section.ts";

const KEYS = 100_000;
const WARM = "hybrid, warm leases";
const MEMORY = "local, in memory";
const CONTENDER_FILE = new URL("./in-process-contender.ts", import.meta.url);
/** Half of what the memory limiter does. */
const SHARE = 0.5;

/** Measures both in turn. */
export async function throughputSection(effort: Effort): Promise<Section> {
  const redis = await startRedis();
  const contenders: Contender[] = [];
  try {
    for (const [name, which] of [
      [WARM, "hybrid"],
      [MEMORY, "local"],
    ] as const) {
      const args = [which, String(redis.port), String(KEYS)];
      contenders.push(await startContender(name, CONTENDER_FILE, args));
    }
    const request = { sliceMs: effort.sliceMs };
    await interleave(contenders, 2, request); // to compile and settle
    const results = await interleave(contenders, effort.rounds, request);
    const profiles: Profile[] = [await contenders[0]!.profile({ sliceMs: 1_500 })];
    return {
      title: "In process: 100,000 warm leases",
      how:
        "One loop that awaits each decision before the next, over 100,000 keys in turn; none is ever denied, and all " +
        "have a lease (`syncInterval: 10s`, so that each is renewed every few seconds).",
      measurements: contenders.map(({ name }, index) => ({
        contender: name,
        unit: "per second",
        values: results[index]!.map(({ perSecond }) => perSecond!),
      })),
      comparator: MEMORY,
      goals: [{ contender: WARM, against: MEMORY, atLeast: SHARE, profile: WARM }],
      profiles,
    };
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
    await redis.stop();
  }
}
