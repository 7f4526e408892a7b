// Judges a run: what was decided, against what is documented of each failure policy. Nothing here depends on how fast
// the machine is.

import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";
import {
  type CircuitEvent,
  HOT_KEY,
  LEASE_MS,
  type ModeReport,
  type NodeReport,
  POOL_LIMIT,
  policyName,
  SUM_KEY,
  SUM_LIMIT,
  sumPolicyName,
  type Tally,
} from "./orders.ts";
import { RECOVERING_KEYS, type Run } from "./run-fault.ts";

/** What each failure policy may answer where the store does not. */
const DEGRADED = { allow: "fail-open", deny: "fail-closed", local: "fallback" } as const;

/** Milliseconds by which a timer may be early. */
const EARLY_MS = 2;
const STEP_MS_MIN = 50;
const STEP_MS_MAX = 250;

/** Says what was wrong with the answers under one failure policy; nothing, where nothing was. */
export function wrongAnswers(run: Run, mode: OnStoreFailure): string[] {
  const reports = run.reports.map(({ modes }) => modes[mode]!);
  return [
    ...reports.flatMap(wrongBooks),
    ...wrongSources(run, sumOfTallies(reports), mode),
    ...wrongWhileAway(run, sumOfTallies(reports), mode),
    ...wrongLeases(run, reports),
    ...wrongAdmissions(run, reports),
    ...wrongCharges(run, reports),
    ...wrongRecovery(reports),
    ...wrongShards(run, mode, reports),
  ];
}

/** Says what was wrong with nodes, whatever they were asked. */
export function wrongNodes(run: Run): string[] {
  return [
    ...run.unhandled.map((what) => `not handled: ${what}`),
    ...run.reports.flatMap(({ circuits }) => wrongProbes(circuits)),
    ...wrongCalls(run),
    ...run.reports
      .filter(({ unsettled }) => unsettled > 0)
      .map(({ unsettled }) => `${unsettled} close() did not settle`),
    ...run.reports.flatMap(({ newcomers }) => {
      return newcomers
        .filter((answer) => answer.startsWith("rejected"))
        .map((a) => `newcomer ${a}`);
    }),
  ];
}

/** Every call in is a call out, and none of them rejects. */
function wrongBooks({ asked, answered, rejected }: ModeReport): string[] {
  const rejections = rejected.length > 0 ? [`${rejected.length} rejected: ${rejected[0]}`] : [];
  return asked === answered
    ? rejections
    : [...rejections, `${asked - answered} of ${asked} are not answered`];
}

function wrongSources({ options }: Run, tally: Tally, mode: OnStoreFailure): string[] {
  const leases = options.coordination === "hybrid" ? ["lease"] : [];
  const fine = new Set(["store", "cache", DEGRADED[mode], ...leases]);
  return Object.entries(tally).flatMap(([name, { allowed, denied }]) => {
    const source = name.split(" ")[1]!;
    const wrong = [];
    if (!fine.has(source)) wrong.push(`${allowed + denied} answers from ${source} under ${mode}`);
    if (source === "fail-open" && denied > 0) wrong.push(`${denied} denied by fail-open`);
    if ((source === "fail-closed" || source === "cache") && allowed > 0) {
      wrong.push(`${allowed} admitted by ${source}`);
    }
    return wrong;
  });
}

function wrongWhileAway({ fault }: Run, tally: Tally, mode: OnStoreFailure): string[] {
  if (fault.leaves !== "away") return [];
  const store = tally["away store"];
  const degraded = tally[`away ${DEGRADED[mode]}`];
  return [
    ...(store === undefined
      ? []
      : [`${store.allowed + store.denied} answers of a store that is away`]),
    ...(degraded === undefined ? ["no degraded answer: the fault was not there"] : []),
  ];
}

/** What is in hand when the store goes may be spent until the lease ends, and no longer. */
function wrongLeases({ fault, reports: nodes, awayAtMs }: Run, reports: readonly ModeReport[]) {
  if (fault.leaves !== "away" || fault.fromTheStart === true) return [];
  return reports.flatMap(({ lastLeaseAtMs }, index) => {
    const spentMs = lastLeaseAtMs - awayAtMs;
    // A node that stands still notes late.
    const most = LEASE_MS + nodes[index]!.stallMs + EARLY_MS;
    return spentMs > most ? [`a lease spent ${spentMs.toFixed(0)} ms after the store went`] : [];
  });
}

/**
 * What all nodes together admitted: by the store, and by its leases, no more than its limit, by shares a unit more for
 * each node.
 */
function wrongAdmissions(run: Run, reports: readonly ModeReport[]): string[] {
  const lives = 1 + (run.fault.losses ?? 0);
  const nodes = run.reports.length;
  const byStore = new Map<string, number>();
  const byShares = new Map<string, number>();
  const wrong: string[] = [];
  let hotLate = 0;
  for (const { admitted } of reports) {
    for (const [name, units] of Object.entries(admitted)) {
      const [key, phase, source] = name.split(" ") as [string, string, string];
      if (key === SUM_KEY) continue;
      const isStored = source === "store" || source === "lease";
      const sums = isStored ? byStore : source === "fallback" ? byShares : undefined;
      sums?.set(key, (sums.get(key) ?? 0) + units);
      if (key === HOT_KEY && isStored && phase !== "before") hotLate += units;
    }
  }
  for (const [key, units] of byStore) {
    const bound = lives * POOL_LIMIT;
    if (units > bound) wrong.push(`${units} of ${bound} units of ${key} admitted by the store`);
  }
  for (const [key, units] of byShares) {
    const bound = POOL_LIMIT + nodes;
    if (units > bound) wrong.push(`${units} of ${bound} units of ${key} admitted by shares`);
  }
  if (hotLate > 0 && lives === 1 && run.fault.fromTheStart !== true) {
    wrong.push(`${hotLate} units admitted by the store of a key that was used up`);
  }
  return wrong;
}

/** What Redis holds of the key that is never used up: all that it admitted in time, and nothing twice. */
function wrongCharges({ fault, options }: Run, reports: readonly ModeReport[]): string[] {
  const charged = chargedOf(reports);
  const asked = reports.reduce((sum, report) => sum + askedForSum(report), 0);
  const inTime = inTimeOf(reports);
  const late = reports.reduce((sum, report) => sum + report.late, 0);
  // What was leased, and neither spent nor given back since the store was away, is charged and was never asked for.
  if (charged > asked && options.coordination !== "hybrid")
    return [`${charged} units charged for ${asked} asked for`];
  if ((fault.losses ?? 0) === 0 && charged < inTime + late) {
    return [`${charged} units charged, and ${inTime + late} admitted`];
  }
  return [];
}

/** Units that the store holds of the key that is never used up. */
export function chargedOf(reports: readonly ModeReport[]): number {
  return SUM_LIMIT - Math.min(...reports.map(({ sumRemaining }) => sumRemaining));
}

/** Units of it that the store admitted in time, or a lease. */
export function inTimeOf(reports: readonly ModeReport[]): number {
  return reports.reduce((sum, { admitted }) => {
    const own = Object.entries(admitted).filter(([name]) => {
      return name.startsWith(`${SUM_KEY} `) && / (store|lease)$/.test(name);
    });
    return own.reduce((units, [, one]) => units + one, sum);
  }, 0);
}

/** A quarter of the questions are about it. */
function askedForSum({ asked }: ModeReport): number {
  return asked / 4;
}

function wrongRecovery(reports: readonly ModeReport[]): string[] {
  return reports
    .filter(({ recoveredAtMs }) => Object.keys(recoveredAtMs).length < RECOVERING_KEYS)
    .map(({ recoveredAtMs }) => {
      return `only ${Object.keys(recoveredAtMs).length} of ${RECOVERING_KEYS} keys recovered`;
    });
}

/** Between the opening of a circuit and its probe lies the step of the back-off, and after it comes its answer. */
function wrongProbes(events: readonly CircuitEvent[]): string[] {
  const last = new Map<string, CircuitEvent>();
  const opened = new Map<string, number>();
  const wrong: string[] = [];
  for (const event of events) {
    const { circuit, state, atMs } = event;
    const before = last.get(circuit);
    last.set(circuit, event);
    if (state === "closed") opened.set(circuit, 0);
    if (state === "open") opened.set(circuit, (opened.get(circuit) ?? 0) + 1);
    if (state !== "half-open") continue;
    if (before?.state !== "open") wrong.push(`a probe of a circuit that was ${before?.state}`);
    const steps = opened.get(circuit)! - 1;
    const least = Math.min(STEP_MS_MIN * 2 ** Math.min(steps, 8), STEP_MS_MAX) - EARLY_MS;
    const waited = atMs - before!.atMs;
    if (waited < least) wrong.push(`a probe after ${waited} ms, and not ${least}`);
  }
  return wrong;
}

/** While the store is known to be away it is sent nothing but probes, and those only where a circuit probes. */
function wrongCalls({ fault, heard, reports, awayAtMs, awayMs }: Run): string[] {
  if (fault.leaves !== "away" || heard === undefined) return [];
  const probes = reports.reduce((sum, report) => {
    return sum + probesOf(report, awayAtMs, awayAtMs + awayMs);
  }, 0);
  return [
    ...(heard.checks > 0 ? [`${heard.checks} script calls to a store that is away`] : []),
    ...(heard.probes > probes ? [`${heard.probes} pings for ${probes} probes`] : []),
  ];
}

/** A part of the store that fails does not degrade the others. */
function wrongShards({ isAway }: Run, mode: OnStoreFailure, reports: readonly ModeReport[]) {
  const healthy = { degraded: 0, all: 0 };
  for (const { outageKeys } of reports) {
    for (const [key, { degraded, all }] of Object.entries(outageKeys)) {
      const policy = key === SUM_KEY ? sumPolicyName(mode) : policyName(mode);
      if (isAway(policy, key)) continue;
      healthy.degraded += degraded;
      healthy.all += all;
    }
  }
  // A machine that stands still for longer than a deadline degrades some of them.
  return healthy.degraded > healthy.all / 2
    ? [`${healthy.degraded} of ${healthy.all} answers degraded on nodes that were there`]
    : [];
}

/** Adds up the answers of all nodes. */
export function sumOfTallies(reports: readonly ModeReport[]): Tally {
  const sum: Tally = {};
  for (const { tally } of reports) {
    for (const [name, { allowed, denied }] of Object.entries(tally)) {
      sum[name] ??= { allowed: 0, denied: 0 };
      sum[name].allowed += allowed;
      sum[name].denied += denied;
    }
  }
  return sum;
}

/** Probes of a node within a time, of all its circuits. */
export function probesOf({ circuits }: NodeReport, fromMs: number, toMs: number): number {
  return circuits.filter(({ state, atMs }) => {
    return state === "half-open" && atMs >= fromMs && atMs <= toMs;
  }).length;
}
