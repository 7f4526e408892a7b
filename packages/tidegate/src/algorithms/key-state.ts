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
  markOf,
  remainingOf,
  take,
  waitFor,
} from "./dispatch.ts";
import { addGift, type Gifts, instantOf, placeOf, placeTaken } from "./gifts.ts";
import type { PermitHeld, Permits } from "./permits.ts";

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

/** What a cost took of each limit, so that it can be given back and nothing else with it. */
export interface Receipt {
  readonly cost: number;
  /** By limit: the cost, or of a soft limit what there was. */
  readonly units: readonly number[];
  /** By limit: what tells its units from others. */
  readonly marks: readonly number[];
}

/**
 * Takes `cost` units after a look that admitted them; of a soft limit as many as there are.
 * @param gifts as giveBack has added to them so far.
 */
export function takeFrom(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  cost: number,
  permit: string,
  gifts?: readonly Gifts[],
): Receipt {
  const taken: number[] = [];
  const marks: number[] = [];
  forEachLimit(limits, state, (limit, at, entries, index) => {
    const { numbers } = state;
    const units = limit.soft ? Math.min(cost, remainingOf(limit, numbers, at, now)) : cost;
    if (units > 0) take(limit, numbers, at, now, units, entries, permit);
    taken.push(units);
    const mark = markOf(limit, numbers, at);
    const given = limit.algorithm === "token-bucket" ? gifts?.[index] : undefined;
    marks.push(given === undefined ? mark : placeTaken(given, mark));
  });
  return { cost, units: taken, marks };
}

/**
 * Gives `units` back of what a receipt is for; or without one, of what was taken at `takenAt`, in microseconds, as far
 * as a limit can tell that, and Infinity for those taken last.
 * @param gifts by limit, what has been given back while receipts may be used; added to.
 */
export function giveBack(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  units: number,
  takenAt: number,
  receipt?: Receipt,
  gifts?: readonly Gifts[],
): void {
  forEachLimit(limits, state, (limit, at, entries, index) => {
    // What is not given back is `cost` - `units`, of a soft limit that had less to give too.
    const own = receipt === undefined ? units : receipt.units[index]! - receipt.cost + units;
    const mark = receipt?.marks[index];
    const { numbers } = state;
    advance(limit, numbers, at, now, entries);
    if (own <= 0) return;
    const given = limit.algorithm === "token-bucket" ? gifts?.[index] : undefined;
    if (given === undefined) {
      give(limit, numbers, at, now, own, mark ?? takenAt, entries);
      return;
    }
    const last = placeOf(given, Math.max(numbers[at]!, now));
    const until = mark === undefined ? takenAt : instantOf(given, mark);
    const size = give(limit, numbers, at, now, own, until, entries);
    // Of what was taken last a receipt may be for some: units of it return the earlier as well.
    addGift(given, mark ?? last - size, size, now);
  });
}

/** Takes `units` whether they are there or not, down to a debt of the limit; of a soft limit what there is. */
export function chargeTo(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  units: number,
): void {
  forEachLimit(limits, state, (limit, at, entries) => {
    const { numbers } = state;
    advance(limit, numbers, at, now, entries);
    const own = limit.soft ? Math.min(units, remainingOf(limit, numbers, at, now)) : units;
    charge(limit, numbers, at, now, own, entries);
  });
}

/** Finds a permit that is held of any limit, with the end that comes first; undefined where it is held of none. */
export function findPermit(
  limits: readonly Limit[],
  state: KeyState,
  now: number,
  id: string,
): PermitHeld | undefined {
  let first: PermitHeld | undefined;
  eachPermit(limits, state, now, (_limit, _at, permits) => {
    const held = permits.find(id);
    if (held !== undefined && !(first !== undefined && first.expiresAt <= held.expiresAt)) {
      first = held;
    }
    return held !== undefined;
  });
  return first;
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
  work: (limit: Limit, at: number, entries: Entries | undefined, index: number) => void,
): void {
  let offset = state.at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    work(limit, offset, state.entries?.[index], index);
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
