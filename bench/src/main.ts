// `npm run bench`: runs the benchmarks and prints their tables. A full run writes docs/benchmarks.md; a run of some
// benchmarks by name, or a quick one, only prints. A benchmark with a page of its own writes that whenever it is run,
// unless quick. `against PATH` compares with another checkout: alone it only prints, after `all` it is one more of a
// full run.

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createAgainstBenchmark } from "./against/benchmark.ts";
import { algorithmsBenchmark } from "./algorithms/benchmark.ts";
import type { Benchmark, Effort } from "./benchmark.ts";
import { centralBenchmark } from "./central/benchmark.ts";
import { exactnessBenchmark } from "./exactness/benchmark.ts";
import { gossipBenchmark } from "./gossip/benchmark.ts";
import { hybridBenchmark } from "./hybrid/benchmark.ts";
import { memoryBenchmark } from "./memory/benchmark.ts";
import { describeMachine } from "./report/machine.ts";
import { sectionToMarkdown } from "./report/markdown.ts";
import { replaceTables } from "./report/page.ts";
import { judge } from "./report/section.ts";
import { wrapProse } from "./report/wrap.ts";
import { serviceBenchmark } from "./service/benchmark.ts";
import { startBenchmark } from "./start/benchmark.ts";

const BENCHMARKS: readonly Benchmark[] = [
  memoryBenchmark,
  algorithmsBenchmark,
  centralBenchmark,
  hybridBenchmark,
  gossipBenchmark,
  serviceBenchmark,
  startBenchmark,
  exactnessBenchmark,
];
const DOCS = new URL("../../docs/", import.meta.url);
const REPORT = new URL("benchmarks.md", DOCS);
const FULL: Effort = { rounds: 9, sliceMs: 300, quick: false };
const QUICK: Effort = { rounds: 3, sliceMs: 150, quick: true };

const { benchmarks: chosen, quick, whole } = readArguments(process.argv.slice(2));

const machine = describeMachine();
console.log(`${machine}\n`);
const written: string[] = [];
let missed = 0;
for (const benchmark of chosen) {
  const own: string[] = [];
  const { page } = benchmark;
  for await (const section of await benchmark.run(quick ? QUICK : FULL)) {
    const markdown = sectionToMarkdown(section, page === undefined ? "##" : "###");
    console.log(`${markdown}\n`);
    own.push(markdown);
    missed += judge(section).filter(({ met }) => !met).length;
  }
  if (page === undefined) written.push(...own);
  else if (!quick) writePage(page, benchmark.name, own);
}
console.log(missed === 0 ? "All goals are met." : `${missed} goals are missed.`);
if (!quick && whole) {
  const opening = [
    "# Benchmarks",
    "Written by `npm run bench`; no figure is typed by hand. What counts are the ratios: all " +
      "contenders of a table ran " +
      "in one run, in turn, each in a process of its own, over several rounds. A ratio is the median of the ratios " +
      "within the rounds, and need not equal the ratio of the medians beside it.",
    "`npm run bench -- NAME` runs one of " +
      `${BENCHMARKS.map(({ name }) => name).join(", ")}. \`npm run bench -- against PATH\` ` +
      "compares token bucket and fixed window, in memory and in Redis, with another checkout of " +
      "this repository, in turn within one run; `npm run bench -- all against PATH` has that " +
      "comparison in this report.",
    ...BENCHMARKS.filter(({ page }) => page !== undefined).map(
      ({ name, page }) => `The tables of ${name} are in [${page}](${page}).`,
    ),
    `${machine}.`,
  ];
  writeFileSync(REPORT, `${wrapProse([...opening, ...written].join("\n\n"))}\n`);
  console.log("docs/benchmarks.md is written.");
}

/** Writes a benchmark's tables to their place in a page of docs/. */
function writePage(page: string, name: string, tables: readonly string[]): void {
  const file = new URL(page, DOCS);
  const text = wrapProse([`${machine}.`, ...tables].join("\n\n"));
  writeFileSync(file, replaceTables(readFileSync(file, "utf8"), name, text));
  console.log(`docs/${page} is written.`);
}

interface Arguments {
  readonly benchmarks: readonly Benchmark[];
  readonly quick: boolean;
  /** Whether all benchmarks are run, and so the report is written. */
  readonly whole: boolean;
}

/** Reads the command line; ends the process where it says something else. */
function readArguments(given: readonly string[]): Arguments {
  const names = given.filter((argument) => argument !== "--quick");
  const at = names.indexOf("against");
  const path = at === -1 ? undefined : (names.splice(at, 2)[1] ?? "");
  const unknown = names.find((name) => {
    return name !== "all" && !BENCHMARKS.some((benchmark) => benchmark.name === name);
  });
  if (unknown !== undefined) refuse(`unknown benchmark "${unknown}"`);
  if (path === "") refuse("against needs the path of another checkout");
  const whole = names.includes("all") || (names.length === 0 && path === undefined);
  const chosen = BENCHMARKS.filter(({ name }) => whole || names.includes(name));
  return {
    benchmarks: path === undefined ? chosen : [...chosen, against(path)],
    quick: given.includes("--quick"),
    whole,
  };
}

function against(path: string): Benchmark {
  try {
    return createAgainstBenchmark(resolve(path));
  } catch (error) {
    refuse(`${path} is no checkout of this repository: ${(error as Error).message}`);
  }
}

function refuse(problem: string): never {
  const known = BENCHMARKS.map(({ name }) => name).join(", ");
  console.error(`${problem}; there are ${known}, all, against PATH, and --quick`);
  process.exit(2);
}
