// Sends the offered requests through a real limiter on a manual clock, and notes what it answers. No number in a
// picture comes from anywhere else.

import { createLimiter, type Limit } from "tidegate";
import { offeredAtMs, SHOWN_MS, WINDOW_MS } from "./offered.ts";

/** A request, its answer, and when it goes: later than it came where a queue has it wait. */
export interface Answered {
  readonly atMs: number;
  readonly allowed: boolean;
  readonly goesAtMs: number;
}

/** A number of units from an instant on. */
export interface Level {
  readonly atMs: number;
  readonly units: number;
}

/** What came of it. */
export interface Run {
  readonly answered: readonly Answered[];
  /** What remains, as the limiter says it. */
  readonly remaining: readonly Level[];
  /** Of permits: units held by holders that have crashed. */
  readonly orphaned: readonly Level[];
  /** Milliseconds until the limit is as if never used, as the last answer says. */
  readonly resetAfterMs: number;
}

/** Where a run begins: a multiple of all windows, unless a calendar says otherwise. */
const START_MS = Date.UTC(2026, 0, 1);

/** How finely the levels are read. */
const STEP_MS = 10;

/** How long a holder works, and which of them crash. */
const WORK_MS = 1_200;
const CRASHES_EVERY = 5;

/** Runs one limit. */
export async function runAlgorithm(limit: Limit, startMs = START_MS): Promise<Run> {
  let nowMs = 0;
  const clock = { now: () => (startMs + nowMs) * 1_000 };
  const limiter = createLimiter({ policies: { api: { limits: [limit] } }, clock });
  const request = { policy: "api", key: "user:42" };
  const holds = limit.algorithm === "concurrency";
  const due = offeredAtMs();
  const working: { readonly id: string; readonly untilMs: number }[] = [];
  const answered: Answered[] = [];
  const remaining: Level[] = [];
  const orphaned: Level[] = [];
  let acquired = 0;
  let resetAfterMs = 0;
  for (; nowMs < SHOWN_MS; nowMs += STEP_MS) {
    while (working[0] !== undefined && working[0].untilMs <= nowMs) {
      await limiter.release({ ...request, id: working.shift()!.id });
    }
    while (due[0] === nowMs) {
      due.shift();
      const id = `permit-${answered.length}`;
      const decision = holds
        ? await limiter.acquire({ ...request, id })
        : await limiter.check(request);
      const { allowed, delayMs } = decision;
      answered.push({ atMs: nowMs, allowed, goesAtMs: nowMs + delayMs });
      resetAfterMs = decision.resetAfterMs;
      if (!holds || !allowed) continue;
      acquired += 1;
      if (acquired % CRASHES_EVERY !== 0) working.push({ id, untilMs: nowMs + WORK_MS });
    }
    const left = (await limiter.peek(request)).remaining;
    note(remaining, nowMs, left);
    note(orphaned, nowMs, holds ? limit.limit - left - working.length : 0);
  }
  await limiter.close();
  return { answered, remaining, orphaned, resetAfterMs };
}

function note(levels: Level[], atMs: number, units: number): void {
  if (levels.at(-1)?.units !== units) levels.push({ atMs, units });
}

/** The span of a window's length, its end not included, in which most go, and how many; the first of equals. */
export function busiestSpan(run: Run): { readonly fromMs: number; readonly count: number } {
  const goes = run.answered.filter(({ allowed }) => allowed).map(({ goesAtMs }) => goesAtMs);
  let busiest = { fromMs: 0, count: 0 };
  for (const fromMs of goes) {
    const count = goes.filter((at) => at >= fromMs && at < fromMs + WINDOW_MS).length;
    if (count > busiest.count) busiest = { fromMs, count };
  }
  return busiest;
}
