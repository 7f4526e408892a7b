// `npm run faults`: every fault under every coordination and failure policy, on real servers, and the tables of
// docs/failure-modes.md.
// `--only NAME` runs some of them and writes nothing, as does `--coordination hybrid`; `--outage 3m` one long outage,
// with what the heap holds.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parseDuration } from "../../packages/tidegate/src/policy/duration.ts";
import { FAULTS } from "./faults.ts";
import { Nodes } from "./nodes.ts";
import { COORDINATIONS, MODES, monotonicMs } from "./orders.ts";
import { lineOf, type Row, rowsOf, tableOf } from "./rows.ts";
import { type RunOptions, runFault } from "./run-fault.ts";

const NODES = 3;
const PAGE = fileURLToPath(new URL("../../docs/failure-modes.md", import.meta.url));
const BEGIN = "<!-- table: npm run faults -->";
const END = "<!-- end of the table -->";

const { values } = parse();
const OPTIONS: RunOptions = {
  coordination: coordinationOf(values.coordination ?? "central"),
  modes: MODES,
  deadlineMs: 50,
  beforeMs: 2_500,
  outageMs: 4_000,
  afterMs: 1_500,
};

const unhandled: string[] = [];
process.on("unhandledRejection", (error) => unhandled.push(String(error)));

const coordinations = values.coordination === undefined ? COORDINATIONS : [OPTIONS.coordination];
const faults = values.only === undefined ? FAULTS : values.only.map(faultOf);
const outageMs = values.outage === undefined ? undefined : parseDuration("--outage", values.outage);
const startedMs = monotonicMs();
const nodes = new Nodes(NODES);
try {
  const failed = outageMs === undefined ? await all() : await long(outageMs);
  if (unhandled.length > 0) console.error(`Not handled in the suite itself: ${unhandled}`);
  process.exitCode = failed || unhandled.length > 0 ? 1 : 0;
} finally {
  await nodes.stop();
}

function parse() {
  const options = {
    only: { type: "string", multiple: true },
    outage: { type: "string" },
    coordination: { type: "string" },
  } as const;
  try {
    return parseArgs({ options });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(message: string): never {
  console.error(
    `${message}\nUsage: npm run faults -- [--only NAME]... [--coordination NAME] [--outage DURATION]`,
  );
  process.exit(2);
}

/** Runs the faults, and where it is all of them, writes the table. Answers whether something was wrong. */
async function all(): Promise<boolean> {
  const tables = new Map<string, Row[]>();
  for (const coordination of coordinations) {
    const rows: Row[] = [];
    tables.set(coordination, rows);
    for (const fault of faults) {
      const own = rowsOf(await runFault(fault, nodes, { ...OPTIONS, coordination }));
      for (const row of own) console.log(lineOf(row, startedMs));
      rows.push(...own);
    }
  }
  if (values.only === undefined && values.coordination === undefined) writeTables(tables);
  return [...tables.values()].flat().some(({ wrong }) => wrong.length > 0);
}

function faultOf(name: string) {
  const fault = FAULTS.find((one) => one.name === name);
  if (fault !== undefined) return fault;
  const names = FAULTS.map((one) => one.name).join(", ");
  return fail(`--only must be one of ${names}, got "${name}"`);
}

function coordinationOf(name: string) {
  const coordination = COORDINATIONS.find((one) => one === name);
  if (coordination !== undefined) return coordination;
  return fail(`--coordination must be one of ${COORDINATIONS.join(", ")}, got "${name}"`);
}

/** One outage under load, and whether what the nodes hold grows. */
async function long(lastsMs: number): Promise<boolean> {
  const fault = values.only === undefined ? faultOf("refused") : faults[0]!;
  const heaps: number[] = [];
  const sample = async () => {
    const used = await nodes.heapsUsed();
    heaps.push(Math.max(...used));
    console.log(`[${seconds()} s] heap used, MB: ${used.map(megabytes).join(", ")}`);
  };
  const rows = rowsOf(await runFault(fault, nodes, { ...OPTIONS, outageMs: lastsMs, sample }));
  for (const row of rows) console.log(lineOf(row, startedMs));
  const quarter = Math.floor(heaps.length / 4);
  const second = mean(heaps.slice(quarter, 2 * quarter));
  const last = mean(heaps.slice(-quarter));
  console.log(
    `Largest heap: ${megabytes(second)} MB on average in the second quarter of the samples, ` +
      `${megabytes(last)} MB in the last`,
  );
  return rows.some(({ wrong }) => wrong.length > 0);
}

function writeTables(tables: ReadonlyMap<string, readonly Row[]>): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no ${BEGIN}`);
  const [cpu] = cpus();
  const sections = [...tables].map(([coordination, rows]) => {
    const asked = rows.reduce((sum, row) => sum + row.asked, 0).toLocaleString("en");
    return `### ${coordination}\n\n${NODES} nodes, ${asked} checks.\n\n${tableOf(rows)}\n`;
  });
  const where =
    `Deadline ${OPTIONS.deadlineMs} ms, Node ${process.versions.node}, ` +
    `${cpus().length} × ${cpu?.model.trim() ?? "CPU"}.`;
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${where}\n\n${sections.join("\n")}\n${END}${after}`);
}

function seconds(): string {
  return ((monotonicMs() - startedMs) / 1_000).toFixed(0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
