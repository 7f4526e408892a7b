// The rows of the table in docs/failure-modes.md: what a run of a fault measured, for each failure policy.

import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";
import { monotonicMs } from "./orders.ts";
import type { Run } from "./run-fault.ts";
import {
  chargedOf,
  inTimeOf,
  probesOf,
  sumOfTallies,
  wrongAnswers,
  wrongNodes,
} from "./verdict.ts";

/** One fault under one coordination and one failure policy. */
export interface Row {
  readonly title: string;
  readonly coordination: string;
  readonly mode: OnStoreFailure;
  readonly asked: number;
  readonly longestMs: number;
  /** By how much the event loop of a node was late at most. */
  readonly stallMs: number;
  /** By how much 999 of 1,000 decisions were later than the deadline at most; 0 where they were not. */
  readonly beyondMs: number;
  /** By source, the part of the answers while the store was away. */
  readonly degraded: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** Probes of each node in a second while the store was away. */
  readonly probesPerSecond: number;
  /** Calls of the store that ended for each node in a second meanwhile, probes and those from before included. */
  readonly callsPerSecond: number;
  /** Connections that each node tried to make; NaN where that is not known. */
  readonly connectsPerSecond: number;
  /** Until the last node had an answer of the store for the last key that all ask for. */
  readonly recoveredMs: number;
  /** Units that Redis took though a policy had answered by then. */
  readonly takenUnanswered: number;
}

const DEGRADED_SOURCES = ["fail-open", "fail-closed", "fallback"];

/** Measures a run: a row for each of its failure policies. */
export function rowsOf(run: Run): Row[] {
  const { fault, options, awayAtMs, awayMs, endedAtMs, heard } = run;
  const perSecond = 1_000 / awayMs / run.reports.length;
  return options.modes.map((mode) => {
    const reports = run.reports.map(({ modes }) => modes[mode]!);
    const durations = sorted(reports.flatMap(({ durationsMs }) => durationsMs));
    const waits = sorted(reports.flatMap(({ waitsMs }) => waitsMs));
    const p999 = waits[Math.ceil(waits.length * 0.999) - 1] ?? 0;
    const recovered = reports.flatMap(({ recoveredAtMs }) => Object.values(recoveredAtMs));
    const counts = run.reports.flatMap(({ calls }) => Object.values(calls));
    const calls = counts.reduce((sum, count) => sum + count, 0);
    const probes = run.reports.reduce(
      (sum, report) => sum + probesOf(report, awayAtMs, awayAtMs + awayMs),
      0,
    );
    return {
      title: fault.title,
      coordination: options.coordination,
      mode,
      asked: reports.reduce((sum, { asked }) => sum + asked, 0),
      longestMs: durations.at(-1) ?? 0,
      stallMs: Math.max(...run.reports.map(({ stallMs }) => stallMs)),
      beyondMs: Math.max(p999 - options.deadlineMs, 0),
      degraded: sharesOf(run, mode),
      wrong: [...wrongAnswers(run, mode), ...wrongNodes(run)],
      probesPerSecond: probes * perSecond,
      callsPerSecond: calls * perSecond,
      connectsPerSecond: 4 * (heard?.connections ?? Number.NaN) * perSecond,
      recoveredMs: Math.max(...recovered.map((atMs) => atMs - endedAtMs), 0),
      takenUnanswered: (fault.losses ?? 0) > 0 ? 0 : chargedOf(reports) - inTimeOf(reports),
    };
  });
}

function sorted(numbers: number[]): number[] {
  return numbers.sort((a, b) => a - b);
}

function sharesOf(run: Run, mode: OnStoreFailure): Record<string, number> {
  const tally = sumOfTallies(run.reports.map(({ modes }) => modes[mode]!));
  const shares: Record<string, number> = {};
  let all = 0;
  for (const [name, { allowed, denied }] of Object.entries(tally)) {
    const [phase, source] = name.split(" ") as [string, string];
    if (phase !== "away") continue;
    all += allowed + denied;
    shares[source] = (shares[source] ?? 0) + allowed + denied;
  }
  return Object.fromEntries(Object.entries(shares).map(([source, count]) => [source, count / all]));
}

const HEAD =
  "| fault | policy | longest | stall | p99.9 | degraded | cache | wrong | probes | calls | connects | back | late |";

/** Writes rows as a table of Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const { degraded } = row;
    const share = DEGRADED_SOURCES.reduce((sum, source) => sum + (degraded[source] ?? 0), 0);
    const cells = [
      row.title,
      `${row.mode}`,
      row.longestMs.toFixed(0),
      row.stallMs.toFixed(0),
      row.beyondMs.toFixed(0),
      percent(share),
      percent(degraded.cache ?? 0),
      String(row.wrong.length),
      row.probesPerSecond.toFixed(1),
      row.callsPerSecond.toFixed(1),
      Number.isNaN(row.connectsPerSecond) ? "–" : row.connectsPerSecond.toFixed(1),
      row.recoveredMs.toFixed(0),
      String(row.takenUnanswered),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [HEAD, HEAD.replaceAll(/[^|]+/g, "---"), ...lines].join("\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
}

/** Says in a line how a run went, for the terminal. */
export function lineOf(row: Row, startedMs: number): string {
  const { title, mode, asked, wrong, longestMs, beyondMs, recoveredMs, degraded } = row;
  const shares = Object.entries(degraded).map(([source, share]) => `${source} ${percent(share)}`);
  const seconds = ((monotonicMs() - startedMs) / 1_000).toFixed(0);
  return (
    `[${seconds} s] ${title}, ${mode}: ${asked} asked, longest ${longestMs.toFixed(1)} ms, p99.9 ` +
    `${beyondMs.toFixed(1)} ms beyond the deadline, ${shares.join(", ")}; back after ` +
    `${recoveredMs.toFixed(0)} ms, ${row.takenUnanswered} taken late, ` +
    `${row.probesPerSecond.toFixed(1)} probes/s${wrong.map((one) => `\n    WRONG: ${one}`).join("")}`
  );
}
