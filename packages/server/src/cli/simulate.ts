// `tidegate simulate SCENARIO`: runs configurations in virtual time, side by side and through faults, and says what
// each admitted, denied and cost.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Report, simulate as runScenario, type Scenario } from "tidegate/simulation";
import { formatProblem } from "../config/problem.ts";
import { didYouMean } from "../config/values.ts";
import { readScenario } from "../simulation/read-scenario.ts";
import { listScenarios, loadShippedScenario } from "../simulation/shipped-scenarios.ts";
import { type Context, EXIT } from "./context.ts";
import { createPaint } from "./paint.ts";
import { createProgressBar } from "./progress-bar.ts";
import { checkFiles, type ReportFiles, writeFiles } from "./simulate-files.ts";
import { sayReport } from "./simulate-report.ts";

/** What to simulate, and where to write. */
export interface SimulateOptions extends ReportFiles {
  /** A file, or the name of a scenario that is shipped. */
  readonly scenario?: string | undefined;
  readonly list?: boolean;
  /** Instead of the scenario's. */
  readonly seed?: number;
}

/** Simulates; returns 0, 1 where a check failed, or 2 where the scenario is wrong or a file cannot be written. */
export async function simulate(options: SimulateOptions, context: Context): Promise<number> {
  const { stdout, stderr, environment } = context;
  if (options.list === true) {
    stdout.write(sayList());
    return EXIT.ok;
  }
  const scenario = load(options.scenario!, context);
  if (scenario === undefined || !checkFiles(options, context)) return EXIT.unusable;
  const bar = createProgressBar(stderr);
  const seeded = options.seed === undefined ? scenario : { ...scenario, seed: options.seed };
  let report: Report;
  try {
    report = await runScenario(seeded, {
      progress: ({ configuration, done }) => bar.show(done, configuration),
    });
  } finally {
    bar.clear();
  }
  stdout.write(sayReport(report, createPaint(stdout, environment), stdout.columns));
  return writeFiles(report, options, context) ? exitCode(report) : EXIT.unusable;
}

/** What the command exits with where all was written. */
export function exitCode({ configurations }: Report): number {
  const isHeld = configurations.every(({ verdicts }) => verdicts.every(({ held }) => held));
  return isHeld ? EXIT.ok : EXIT.failed;
}

function sayList(): string {
  const names = listScenarios();
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => {
    const read = readScenario(name, loadShippedScenario(name));
    return `  ${name.padEnd(width)}  ${"scenario" in read ? read.scenario.name : ""}\n`;
  });
  return `${lines.join("")}\nRun one with \`tidegate simulate ${names[0]}\`.\n`;
}

/** Loads a scenario; says what is wrong where there is none. */
function load(named: string, { directory, stderr }: Context): Scenario | undefined {
  const names = listScenarios();
  const isShipped = names.includes(named);
  let bytes: Uint8Array;
  try {
    bytes = isShipped ? loadShippedScenario(named) : readFileSync(resolve(directory, named));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : message;
    const shipped = didYouMean(named, names) || `; shipped are ${names.join(", ")}`;
    stderr.write(`the scenario ${JSON.stringify(named)} cannot be read: ${reason}${shipped}\n`);
    return undefined;
  }
  // What a file names stands where the file does.
  const place = isShipped ? directory : dirname(resolve(directory, named));
  const read = readScenario(named, bytes, (log) => readFileSync(resolve(place, log)));
  if ("scenario" in read) {
    for (const note of read.notes) stderr.write(`${note}\n`);
    return read.scenario;
  }
  const { problems } = read;
  for (const problem of problems) stderr.write(`${formatProblem(problem)}\n`);
  stderr.write(`\n${problems.length} ${problems.length === 1 ? "problem" : "problems"}. `);
  stderr.write("docs/simulation.md explains every key.\n");
  return undefined;
}
