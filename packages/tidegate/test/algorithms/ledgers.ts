// Ledgers: for each algorithm that gives back, what is in use after reservations, settlements and refunds, kept as a
// list of what was taken when, or in exact integers; the oracles of settle and refund.

import assert from "node:assert/strict";
import type { Limit } from "tidegate";
import { ceilDivide, type Rule } from "./bucket-oracle.ts";

/** What is in use of one limit. Instants are in microseconds, and never fall. */
export interface Ledger {
  take(now: number, units: number): void;
  /** Takes the units whether they are there or not, until twice the limit is in use. */
  charge(now: number, units: number): void;
  /** Gives units back that were taken at `takenAt`; Infinity is those taken last. */
  give(now: number, units: number, takenAt: number): void;
  /** Units in use, a part of one counted as one. */
  used(now: number): number;
}

/** Units that may still be charged. */
function chargeable(limit: Limit, used: number, units: number): number {
  return Math.max(Math.min(units, 2 * limit.limit - used), 0);
}

/** By window, whose start `startOf` tells; `weigh` tells what is in use of the windows. */
function createWindowLedger(
  limit: Limit,
  startOf: (now: number) => number,
  weigh: (counts: ReadonlyMap<number, number>, now: number) => number,
  keepsUs: number,
): Ledger {
  const counts = new Map<number, number>();
  const add = (start: number, units: number) => {
    const count = counts.get(start) ?? 0;
    counts.set(start, Math.max(count + units, 0));
    return Math.min(units, Math.max(-count, units));
  };
  const used = (now: number) => weigh(counts, now);
  return {
    used,
    take: (now, units) => add(startOf(now), units),
    charge: (now, units) => add(startOf(now), chargeable(limit, used(now), units)),
    give(now, units, takenAt) {
      const start = startOf(now);
      if (takenAt !== Number.POSITIVE_INFINITY) {
        if (startOf(takenAt) >= start - keepsUs) add(startOf(takenAt), -units);
        return;
      }
      const here = Math.min(units, counts.get(start) ?? 0);
      add(start, -here);
      if (keepsUs > 0) add(start - keepsUs, here - units);
    },
  };
}

function createLogLedger(limit: Limit): Ledger {
  const entries: { at: number; units: number }[] = [];
  const used = (now: number) => {
    return entries.reduce((sum, { at, units }) => sum + (now - at < limit.windowUs ? units : 0), 0);
  };
  return {
    used,
    take: (at, units) => entries.push({ at, units }),
    charge(at, units) {
      entries.push({ at, units: chargeable(limit, used(at), units) });
    },
    give(now, units, takenAt) {
      let left = units;
      for (const entry of [...entries].reverse()) {
        if (now - entry.at >= limit.windowUs) break;
        if (takenAt !== Number.POSITIVE_INFINITY && entry.at !== takenAt) continue;
        const given = Math.min(left, entry.units);
        entry.units -= given;
        left -= given;
      }
    },
  };
}

function createBucketLedger(limit: Limit, { units: perUs, periodMs }: Rule): Ledger {
  const period = BigInt(periodMs) * 1_000n;
  let excess = 0n;
  let lastUs = 0;
  const pass = (now: number) => {
    excess -= BigInt(perUs) * BigInt(now - lastUs);
    if (excess < 0n) excess = 0n;
    lastUs = now;
  };
  const used = (now: number) => {
    pass(now);
    return Number(ceilDivide(excess, period));
  };
  const add = (now: number, units: number) => {
    pass(now);
    excess += BigInt(units) * period;
    if (excess < 0n) excess = 0n;
  };
  return {
    used,
    take: add,
    charge: (now, units) => add(now, chargeable(limit, used(now), units)),
    give: (now, units) => add(now, -units),
  };
}

/** Creates the ledger of a limit; `rule` is that of a bucket. */
export function createLedger(limit: Limit, rule?: Rule): Ledger {
  const { windowUs } = limit;
  const startOf = (now: number) => now - (now % windowUs);
  const countAt = (counts: ReadonlyMap<number, number>, start: number) => counts.get(start) ?? 0;
  switch (limit.algorithm) {
    case "token-bucket":
      assert.ok(rule !== undefined);
      return createBucketLedger(limit, rule);
    case "fixed-window":
      return createWindowLedger(limit, startOf, (counts, now) => countAt(counts, startOf(now)), 0);
    case "calendar-window": {
      const start = (now: number) => limit.calendar.boundariesAround(now)[1]!;
      return createWindowLedger(limit, start, (counts, now) => countAt(counts, start(now)), 0);
    }
    case "sliding-window":
      return createWindowLedger(
        limit,
        startOf,
        (counts, now) => {
          const start = startOf(now);
          const left = BigInt(start + windowUs - now) * BigInt(countAt(counts, start - windowUs));
          return countAt(counts, start) + Number(ceilDivide(left, BigInt(windowUs)));
        },
        windowUs,
      );
    case "sliding-log":
      return createLogLedger(limit);
    default:
      throw new Error(`${limit.algorithm} gives nothing back`);
  }
}
