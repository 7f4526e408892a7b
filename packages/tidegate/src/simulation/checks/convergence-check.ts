// After a partition is healed, what gossip admits of buckets is soon what the ideal admits. What was admitted beyond
// the limit meanwhile is repaid first, for as long as a bucket takes to fill at most.

import type { CheckedFault } from "../check-faults.ts";
import type { Verdict } from "../report.ts";
import type { VirtualTime } from "../virtual-time.ts";
import type { Subject } from "./subject.ts";

/** Units since the beginning. */
export interface Units {
  readonly units: number;
  readonly admittedUnits: number;
  readonly idealUnits: number;
}

/** Rounds until it has converged, and how many are looked at then. */
const ROUNDS = 5;
const LOOKED_AT = 10;
/** How far from the ideal it may be. */
const TOLERANCE = 0.02;
/** Fewer units than these say more of chance. */
const LEAST_UNITS = 1_500;
/** Of a bucket that holds fewer units for each node, they leave each other some percent, partition or not. */
const LEAST_UNITS_OF_NODE = 10;

interface Span {
  readonly fault: CheckedFault;
  readonly fromUs: number;
  readonly untilUs: number;
  before?: Units;
  after?: Units;
}

/** Looks at the time after each partition. */
export class ConvergenceCheck {
  readonly #spans: readonly Span[];

  /** @param count returns what has been asked for and admitted so far. */
  constructor(subject: Subject, time: VirtualTime, count: () => Units) {
    this.#spans = spansOf(subject);
    for (const span of this.#spans) {
      time.at(subject.startUs + span.fromUs, () => {
        span.before = count();
      });
      time.at(subject.startUs + span.untilUs, () => {
        span.after = count();
      });
    }
  }

  /** Returns undefined where there was no partition, too little asked for after it, or nothing is promised. */
  verdict(): Verdict | undefined {
    let verdict: Verdict | undefined;
    for (const { before, after, fault, fromUs, untilUs } of this.#spans) {
      if (before === undefined || after === undefined) continue;
      const ideal = after.idealUnits - before.idealUnits;
      const admitted = after.admittedUnits - before.admittedUnits;
      const isOver = after.units - before.units > 1.2 * ideal;
      if (ideal < LEAST_UNITS || !isOver) continue;
      const ratio = admitted / ideal;
      const held = Math.abs(ratio - 1) <= TOLERANCE;
      const when = `${sayS(fromUs)} s to ${sayS(untilUs)} s, after the partition until ${sayS(fault.untilUs)} s`;
      const detail = `${ratio.toFixed(4)} of the ideal is admitted from ${when}`;
      const found: Verdict = { check: "convergence", held, detail };
      if (!held) return { ...found, atMs: fromUs / 1_000 };
      verdict ??= found;
    }
    return verdict;
  }
}

/** The times after partitions in which nothing else goes wrong. */
function spansOf({ scenario, configuration }: Subject): Span[] {
  const { gossip, policy } = configuration;
  if (gossip === undefined) return [];
  const { faults, durationUs, regions } = scenario;
  const hasRegions = new Set(regions).size > 1;
  const roundUs = 1_000 * (hasRegions ? gossip.regionIntervalMs : gossip.intervalMs);
  const isPromised = policy.limits.every(({ algorithm, limit, windowUs }) => {
    const isShared = limit >= LEAST_UNITS_OF_NODE * regions.length;
    return algorithm === "token-bucket" && isShared && windowUs >= roundUs;
  });
  if (!isPromised) return [];
  const repaidUs = Math.max(...policy.limits.map(({ windowUs }) => windowUs));
  return faults.flatMap((fault): Span[] => {
    if (!("partition" in fault) || fault.untilUs >= durationUs) return [];
    const fromUs = fault.untilUs + ROUNDS * roundUs + repaidUs;
    const untilUs = fromUs + Math.max(LOOKED_AT * roundUs, 2_000_000);
    const isQuiet = faults.every((other) => {
      return other === fault || other.atUs >= untilUs || other.untilUs <= fault.atUs;
    });
    return isQuiet && untilUs <= durationUs ? [{ fault, fromUs, untilUs }] : [];
  });
}

function sayS(us: number): string {
  return String(Number((us / 1e6).toFixed(2)));
}
