// This checkout beside another one, in one run: shows that a change makes nothing slower. The other one takes part
// twice, so that the table says itself how far two processes of the same code are apart.

import { fileURLToPath } from "node:url";
import { startRedis } from "../../../test/support/redis-server.ts";
import type { Benchmark, Effort } from "../benchmark.ts";
import { type Contender, startContender } from "../process/contender.ts";
import type { Measurement, Section } from "../report/section.ts";
import { describeCheckout, doorOf } from "./checkout.ts";

const CONTENDER_FILE = new URL("./contender.ts", import.meta.url);
const HERE = fileURLToPath(new URL("../../..", import.meta.url));
const CONCURRENCY = 1_024;

/** Processes differ by themselves, in where their heaps lie and what V8 compiled when; so each is started anew. */
const STARTS = 3;

/** How much slower still counts as no slower: what runs of the same code differ by. */
const NO_SLOWER = 0.95;

const ALGORITHMS = [
  { name: "token bucket", which: "token-bucket" },
  { name: "fixed window", which: "fixed-window" },
];

/** Creates the benchmark "against". @throws where `path` is no checkout of this repository. */
export function createAgainstBenchmark(path: string): Benchmark {
  doorOf(path, ".");
  return {
    name: "against",
    async run(effort) {
      const names = namesOf(path);
      const sections: Section[] = [];
      for (const algorithm of ALGORITHMS) {
        sections.push(await runPlace({ ...algorithm, path, names, keys: 100_000 }, effort));
      }
      const redis = await startRedis();
      try {
        for (const algorithm of ALGORITHMS) {
          const { port } = redis;
          sections.push(await runPlace({ ...algorithm, path, names, keys: 10_000, port }, effort));
        }
      } finally {
        await redis.stop();
      }
      return sections;
    },
  };
}

interface Names {
  readonly here: string;
  readonly there: string;
  readonly again: string;
}

function namesOf(path: string): Names {
  const there = describeCheckout(path);
  return {
    here: `this checkout (${describeCheckout(HERE)})`,
    there: `the other one (${there})`,
    again: `the other one again (${there})`,
  };
}

interface Scenario {
  readonly name: string;
  readonly which: string;
  readonly path: string;
  readonly names: Names;
  readonly keys: number;
  /** Of Redis; left out, it is measured in memory. */
  readonly port?: number;
}

async function runPlace(scenario: Scenario, effort: Effort): Promise<Section> {
  const { name, names, keys, port } = scenario;
  const order = [names.there, names.here, names.again];
  const values = new Map(order.map((contender) => [contender, [] as number[]]));
  for (let start = 0; start < (effort.quick ? 1 : STARTS); start += 1) {
    await runStart(scenario, effort, values);
  }
  return {
    title: `Against another checkout: ${name}, ${port === undefined ? "in memory" : "one Redis"}`,
    how:
      (port === undefined
        ? `One loop that awaits each decision before the next, over ${keys.toLocaleString("en-US")} keys in turn. `
        : `One process keeps ${CONCURRENCY.toLocaleString("en-US")} requests in flight over ` +
          `${keys.toLocaleString("en-US")} keys, through one ioredis client. `) +
      "None is ever denied. Each checkout's library in a process of its own, measured in turn, in " +
      "the other direction every other round, and with new processes three times. The ratio of " +
      "the other checkout to itself says what differences mean nothing.",
    measurements: order.map((contender): Measurement => {
      return { contender, unit: "per second", values: values.get(contender)! };
    }),
    comparator: names.there,
    goals: [{ contender: names.here, against: names.there, atLeast: NO_SLOWER }],
  };
}

/** Starts all anew, and measures them in turn. */
async function runStart(
  { which, path, names, keys, port }: Scenario,
  { rounds, sliceMs }: Effort,
  values: ReadonlyMap<string, number[]>,
): Promise<void> {
  const contenders: Contender[] = [];
  const request = { sliceMs, concurrency: CONCURRENCY };
  try {
    for (const name of values.keys()) {
      const checkout = name === names.here ? HERE : path;
      const args = [checkout, which, String(keys), ...(port === undefined ? [] : [String(port)])];
      contenders.push(await startContender(name, CONTENDER_FILE, args));
    }
    for (let round = -2; round < rounds; round += 1) {
      const inTurn = round % 2 === 0 ? contenders : contenders.toReversed();
      for (const contender of inTurn) {
        const { perSecond } = await contender.measure(request);
        // The first two rounds are there to compile and settle.
        if (round >= 0) values.get(contender.name)!.push(perSecond!);
      }
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}
