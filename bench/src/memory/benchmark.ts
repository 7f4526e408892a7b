// `check` in memory beside rate-limiter-flexible and beside a bare GCRA on a Map, and the bytes that a key takes.

import type { Benchmark, Effort } from "../benchmark.ts";
import { interleave, startContender } from "../process/contender.ts";
import type { Goal, Profile, Section } from "../report/section.ts";

const TIDEGATE = "tidegate, await check";
const FLEXIBLE = "rate-limiter-flexible, await consume";
const BARE_AWAITED = "bare GCRA on a Map, awaited";
const BARE = "bare GCRA on a Map";
const CONTENDERS = [
  { name: TIDEGATE, which: "tidegate" },
  { name: FLEXIBLE, which: "rate-limiter-flexible" },
  { name: BARE_AWAITED, which: "bare-awaited" },
  { name: BARE, which: "bare" },
];
const CONTENDER_FILE = new URL("./contender.ts", import.meta.url);
const BYTES_FILE = new URL("./bytes.ts", import.meta.url);
const MILLION = 1_000_000;

interface Scenario {
  readonly title: string;
  readonly how: string;
  readonly args: readonly string[];
  readonly goals: readonly Goal[];
}

const WHY = [
  "What is left is hardly arithmetic. With many keys most of the time goes to finding the key in " +
    "a Map that is larger " +
    "than the processor's caches (`find`), then to the await (`processTicksAndRejections`, " +
    "`runMicrotasks`, and a part " +
    "of `loop`) and to the clock (`now`). The awaited bare GCRA has these three and next to " +
    "nothing else: no bound on " +
    "its keys, no expiry, no policies, no validation, no names in its answers. It is the ceiling for what awaits an " +
    "answer made from a Map, and stands in the table above for how far that is from the goal.",
  "Tried and kept: refusals and other rare paths in functions of their own, so that V8 compiles " +
    "the common path as one; " +
    "one step for buckets whose units return after whole microseconds; `in` for `instanceof " +
    "Promise`; no write for an " +
    "admission while nobody is denied; `performance` looked up once.",
  "Tried and dropped, as no faster or slower: decisions as instances of a class (slower than literals), or without a " +
    "prototype so that a promise finds no `then` on them sooner (three times slower: V8 makes them dictionaries); " +
    "sweeping less often; reading the clock after the look-up; the store's path inlined by hand " +
    "(faster with one key, " +
    "not with many); public instead of private fields; a flag of denied keys beside the numbers of each.",
  "Not tried, because they cost promises: a clock read once for several checks (time would stand " +
    "still within a turn), " +
    "and a hash table of our own (V8's is seeded against chosen keys, and hashes a string once).",
];

const SCENARIOS: readonly Scenario[] = [
  {
    title: "In memory, 1 key",
    how: "One loop that awaits each decision before the next, on one key that is never denied.",
    args: ["1", "robin", "admit"],
    goals: [],
  },
  {
    title: "In memory, 100,000 keys",
    how: "The same loop over 100,000 keys in turn; none is ever denied, and none is new.",
    args: ["100000", "robin", "admit"],
    goals: [
      { contender: TIDEGATE, against: FLEXIBLE, atLeast: 3, whenMissed: WHY, profile: TIDEGATE },
    ],
  },
  {
    title: "In memory, 100,000 keys in random order",
    how: "The same over the keys in a shuffled order, so that neighbours in time are not neighbours in memory.",
    args: ["100000", "shuffled", "admit"],
    goals: [
      { contender: TIDEGATE, against: FLEXIBLE, atLeast: 3, whenMissed: WHY, profile: TIDEGATE },
    ],
  },
  {
    title: "In memory, 100,000 keys, all denied",
    how: "The same loop where every decision is a denial; rate-limiter-flexible rejects its promise for each.",
    args: ["100000", "robin", "deny"],
    goals: [],
  },
];

/** The benchmark "memory". */
export const memoryBenchmark: Benchmark = {
  name: "memory",
  async run(effort) {
    const sections: Section[] = [];
    for (const scenario of SCENARIOS) sections.push(await runScenario(scenario, effort));
    sections.push(await runBytes(effort));
    return sections;
  },
};

async function runScenario(scenario: Scenario, effort: Effort): Promise<Section> {
  const contenders = [];
  for (const { name, which } of CONTENDERS) {
    contenders.push(await startContender(name, CONTENDER_FILE, [which, ...scenario.args]));
  }
  const request = { sliceMs: effort.sliceMs };
  try {
    await interleave(contenders, 2, request); // to compile and settle
    const results = await interleave(contenders, effort.rounds, request);
    const profiles: Profile[] = [];
    if (scenario.goals.length > 0) profiles.push(await contenders[0]!.profile({ sliceMs: 1_500 }));
    return {
      title: scenario.title,
      how: scenario.how,
      measurements: contenders.map(({ name }, index) => ({
        contender: name,
        unit: "per second",
        values: results[index]!.map(({ perSecond }) => perSecond!),
      })),
      comparator: FLEXIBLE,
      goals: scenario.goals,
      profiles,
    };
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}

async function runBytes(effort: Effort): Promise<Section> {
  const keyCount = effort.quick ? 100_000 : MILLION;
  const measurements = [];
  for (const which of ["tidegate", "rate-limiter-flexible"]) {
    const contender = await startContender(which, BYTES_FILE, [which, String(keyCount)]);
    try {
      const { bytesPerKey } = await contender.measure();
      measurements.push({ contender: which, unit: "bytes" as const, values: [bytesPerKey!] });
    } finally {
      await contender.stop();
    }
  }
  return {
    title: `Memory of a key, ${keyCount.toLocaleString("en-US")} keys`,
    how:
      "Heap and array buffers after a forced collection, with every key held, less the same before, per key. " +
      "The key strings exist before and are not counted.",
    measurements,
    comparator: "rate-limiter-flexible",
    goals: [{ contender: "tidegate", atMost: 100 }],
  };
}
