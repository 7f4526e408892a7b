// Decisions a second of one process that gossips, on many warm keys, beside those of the memory limiter.

import type { Effort } from "../benchmark.ts";
import { type Contender, interleave, startContender } from "../process/contender.ts";
import type { Section } from "../report/section.ts";
import { median } from "../report/statistics.ts";

const KEYS = 100_000;
const GOSSIP = "gossip, warm keys";
const MEMORY = "local, in memory";
const CONTENDER_FILE = new URL("./in-process-contender.ts", import.meta.url);
/** Half of what the memory limiter does. */
const SHARE = 0.5;
/** Rounds are a second apart, so a slice must have some. */
const SLICE_MS = 3_000;
const SLICE_MS_QUICK = 1_500;

/** Measures both in turn. */
export async function throughputSection({ rounds, quick }: Effort): Promise<Section> {
  const contenders: Contender[] = [];
  try {
    for (const [name, which] of [
      [GOSSIP, "gossip"],
      [MEMORY, "local"],
    ] as const) {
      contenders.push(await startContender(name, CONTENDER_FILE, [which, String(KEYS)]));
    }
    const request = { sliceMs: quick ? SLICE_MS_QUICK : SLICE_MS };
    await interleave(contenders, 2, request); // to compile and settle
    const results = await interleave(contenders, rounds, request);
    const profiles = [await contenders[0]!.profile(request)];
    const received = results[0]!.map((result) => result.received! / request.sliceMs);
    return {
      title: "In process: gossip on 100,000 warm keys",
      how:
        "One loop that awaits each decision before the next, over 100,000 keys in turn, and lets timers and messages " +
        "have their turn after each 1,024; none is ever denied. `gossip.interval: 1s`, signed; the four other nodes " +
        "run in a thread beside it and are asked for 20,000 keys a second.",
      measurements: contenders.map(({ name }, index) => ({
        contender: name,
        unit: "per second",
        values: results[index]!.map(({ perSecond }) => perSecond!),
      })),
      comparator: MEMORY,
      goals: [{ contender: GOSSIP, against: MEMORY, atLeast: SHARE, profile: GOSSIP }],
      profiles,
      remarks: [
        `It received ${Math.round(median(received)).toLocaleString("en-US")} kB/s meanwhile.`,
      ],
    };
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}
