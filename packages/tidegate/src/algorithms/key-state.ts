// What can be done with all limits of a policy for one key, whichever they are: look, take, give back, charge, hold.
// decide.ts is the shorter way for plain limits. Lua twin: transact.lua.

import { type ConcurrencyLimit, extendConcurrency, releaseConcurrency } from "./concurrency.ts";
import {
  advance,
  assume,
  charge,
  createEntries,
  type Entries,
  give,
  type Limit,
  lasting,
  remainingOf,
  take,
  waitFor,
} from "./dispatch.ts";
import type { Permits } from "./permits.ts";

/** The states of one key: `numbers` from `at` on, and by limit what is no plain numbers. */
export interface KeyState {
  readonly numbers: Float64Array;
  readonly at: number;
  /** Undefined where no limit has any. */
  readonly entries: KeyEntries | undefined;
}

/** By limit; undefined for limits whose state is plain numbers. */
export type KeyEntries = (Entries | undefined)[];

/** Creates the entries of a key never seen; undefined where no limit has any. */
export function createKeyEntries(limits: readonly Limit[]): KeyEntries | undefined {
  const entries = limits.map(createEntries);
  return entries.some((one) => one !== undefined) ? entries : undefined;
}

/**
 * Brings the states to `now` and answers for `cost` units.
 * @param waits is filled by limit: microseconds until it admits; 0 now, Infinity never.
 * @returns the longest wait of the limits that are not soft.
 */
export function look(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  cost: number,
  waits: Float64Array,
): number {
  let longest = 0;
  let offset = state.at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    const entries = state.entries?.[index];
    advance(limit, state.numbers, offset, now, entries);
    const wait = waitFor(limit, state.numbers, offset, now, cost, entries);
    waits[index] = wait;
    if (wait > longest && !limit.soft) longest = wait;
    offset += limit.width;
  }
  return longest;
}

/** Takes `cost` units after a look that admitted them; of a soft limit as many as there are. */
export function takeFrom(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  cost: number,
  permit: string,
): void {
  if (cost === 0) return;
  forEachLimit(limits, state, (limit, at, entries) => {
    const units = limit.soft ? Math.min(cost, remainingOf(limit, state.numbers, at, now)) : cost;
    if (units > 0) take(limit, state.numbers, at, now, units, entries, permit);
  });
}

/** Gives `units` back that were taken at `takenAt`, Infinity for those taken last. */
export function giveBack(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  units: number,
  takenAt: number,
): void {
  forEachLimit(limits, state, (limit, at, entries) => {
    advance(limit, state.numbers, at, now, entries);
    give(limit, state.numbers, at, now, units, takenAt, entries);
  });
}

/** Takes `units` whether they are there or not, down to a debt of the limit. */
export function chargeTo(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  units: number,
): void {
  forEachLimit(limits, state, (limit, at, entries) => {
    advance(limit, state.numbers, at, now, entries);
    charge(limit, state.numbers, at, now, units, entries);
  });
}

/** Whether a permit is held of any limit. */
export function holdsPermit(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  id: string,
): boolean {
  return eachPermit(limits, state, now, (_limit, _at, permits) => permits.has(id));
}

/** Takes a permit back; false where it is not held. */
export function releasePermit(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  id: string,
): boolean {
  return eachPermit(limits, state, now, (_limit, at, permits) => {
    return releaseConcurrency(state.numbers, at, permits, id);
  });
}

/** Begins a permit's lease anew; false where it is not held. */
export function extendPermit(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  id: string,
): boolean {
  return eachPermit(limits, state, now, (limit, at, permits) => {
    return extendConcurrency(limit, state.numbers, at, now, permits, id);
  });
}

function eachPermit(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  work: (limit: ConcurrencyLimit, at: number, permits: Permits) => boolean,
): boolean {
  let found = false;
  forEachLimit(limits, state, (limit, at, entries) => {
    if (limit.algorithm !== "concurrency") return;
    advance(limit, state.numbers, at, now, entries);
    if (work(limit, at, entries as Permits)) found = true;
  });
  return found;
}

function forEachLimit(
  limits: readonly Limit[],
  state: KeyState,
  work: (limit: Limit, at: number, entries: Entries | undefined) => void,
): void {
  let offset = state.at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    work(limit, offset, state.entries?.[index]);
    offset += limit.width;
  }
}

/**
 * Carries states written under `before` over to `after`, limit by limit in order: units in use stay in use, be they
 * more than the new limit has. Limits that are new start unused. `before` is not to be used afterwards.
 */
export function carryOver(
  before: KeyState & { readonly limits: readonly Limit[] },
  after: KeyState & { readonly limits: readonly Limit[] },
  now: number,
): void {
  let oldOffset = before.at;
  let offset = after.at;
  for (let index = 0; index < after.limits.length; index += 1) {
    const limit = after.limits[index]!;
    const old = before.limits[index];
    if (old === undefined) {
      after.numbers.fill(0, offset, offset + limit.width);
    } else if (old.rule === limit.rule) {
      for (let number = 0; number < limit.width; number += 1) {
        after.numbers[offset + number] = before.numbers[oldOffset + number]!;
      }
      if (after.entries !== undefined) after.entries[index] = before.entries?.[index];
    } else {
      const units = lasting(old, before.numbers, oldOffset, now);
      assume(limit, after.numbers, offset, now, units, after.entries?.[index]);
    }
    oldOffset += old?.width ?? 0;
    offset += limit.width;
  }
}
