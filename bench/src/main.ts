// `npm run bench`: runs the benchmarks and prints their tables. A full run writes docs/benchmarks.md; a run of some
// benchmarks by name, or a quick one, only prints.

import { writeFileSync } from "node:fs";
import type { Benchmark, Effort } from "./benchmark.ts";
import { centralBenchmark } from "./central/benchmark.ts";
import { exactnessBenchmark } from "./exactness/benchmark.ts";
import { memoryBenchmark } from "./memory/benchmark.ts";

import { describeMachine } from "./report/machine.ts";
import { sectionToMarkdown } from "./report/markdown.ts";
import { judge } from "./report/section.ts";
import { serviceBenchmark } from "./service/benchmark.ts";
import { startBenchmark } from "./start/benchmark.ts";

const BENCHMARKS: readonly Benchmark[] = [
  memoryBenchmark,
  centralBenchmark,
  serviceBenchmark,
  startBenchmark,
  exactnessBenchmark,
];
const REPORT = new URL("../../docs/benchmarks.md", import.meta.url);
const FULL: Effort = { rounds: 9, sliceMs: 300, quick: false };
const QUICK: Effort = { rounds: 3, sliceMs: 150, quick: true };

const names = process.argv.slice(2).filter((argument) => argument !== "--quick");
const quick = process.argv.includes("--quick");
const unknown = names.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
if (unknown !== undefined) {
  const known = BENCHMARKS.map(({ name }) => name).join(", ");
  console.error(`unknown benchmark "${unknown}"; there are ${known}, and --quick`);
  process.exit(2);
}
const chosen = BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name));

const machine = describeMachine();
console.log(`${machine}\n`);
const written: string[] = [];
let missed = 0;
for (const benchmark of chosen) {
  for (const section of await benchmark.run(quick ? QUICK : FULL)) {
    const markdown = sectionToMarkdown(section);
    console.log(`${markdown}\n`);
    written.push(markdown);
    missed += judge(section).filter(({ met }) => !met).length;
  }
}
console.log(missed === 0 ? "All goals are met." : `${missed} goals are missed.`);
if (!quick && names.length === 0) {
  const opening = [
    "# Benchmarks",
    "Written by `npm run bench`; no figure is typed by hand. What counts are the ratios: all " +
      "contenders of a table ran " +
      "in one run, in turn, each in a process of its own, over several rounds. A ratio is the median of the ratios " +
      "within the rounds, and need not equal the ratio of the medians beside it.",
    `${machine}.`,
  ];
  writeFileSync(REPORT, `${[...opening, ...written].join("\n\n")}\n`);
  console.log("docs/benchmarks.md is written.");
}
