// How many units a node is granted to spend from its memory: its part of what is there, by what all nodes ask for.
// Lua twin: stores/redis/lease.lua.

import { consumed, type Limit } from "./dispatch.ts";
import type { KeyState } from "./key-state.ts";

/** How long what a node asked for counts, in microseconds. */
export const DEMAND_US = 1_000_000;

/** Nodes told apart; of more the demand is believed to be less than it is, and never more granted than there is. */
const MAX_DEMANDS = 128;

/** What a node wanted of a key, and when. */
export interface Demand {
  readonly node: string;
  readonly units: number;
  readonly at: number;
}

/** Notes what a node wants of a key among what others do, and returns that and the sum. */
export function noteDemand(
  known: readonly Demand[],
  node: string,
  units: number,
  now: number,
): { readonly demand: number; readonly demands: readonly Demand[] } {
  const demands = known.filter((one) => {
    const age = now - one.at;
    return one.node !== node && age >= 0 && age < DEMAND_US;
  });
  demands.length = Math.min(demands.length, MAX_DEMANDS - 1);
  const demand = demands.reduce((sum, one) => sum + one.units, units);
  if (units > 0) demands.push({ node, units, at: now });
  return { demand, demands };
}

/**
 * Returns the units that all limits of a policy that is leasable have, after the states have been brought to now. Where
 * the key is in debt it is less than 0.
 */
export function leftOf(limits: readonly Limit[], state: KeyState, now: number): number {
  let units = Number.POSITIVE_INFINITY;
  let offset = state.at;
  for (const limit of limits) {
    units = Math.min(units, limit.limit - consumed(limit, state.numbers, offset, now));
    offset += limit.width;
  }
  return units;
}

/** Returns microseconds until the first window of a limit ends; Infinity where none does. */
export function windowLeft(limits: readonly Limit[], state: KeyState, now: number): number {
  let left = Number.POSITIVE_INFINITY;
  let offset = state.at;
  for (const limit of limits) {
    const start = state.numbers[offset]!;
    if (limit.algorithm === "fixed-window" || limit.algorithm === "sliding-window") {
      left = Math.min(left, start + limit.windowUs - now);
    } else if (limit.algorithm === "calendar-window") {
      left = Math.min(left, state.numbers[offset + 2]! - now);
    }
    offset += limit.width;
  }
  return left;
}

/**
 * Returns the units granted to a node that wants some.
 * @param room units that there are.
 * @param want units that it can use soon, at least 1.
 * @param least units without which it can do nothing.
 * @param demand units that all nodes want, this one included.
 * @param spare part of what nobody wants that comes on top, 0 to 1.
 * @param most units of use to it at most, with those on top.
 */
export function grantOf(
  room: number,
  want: number,
  least: number,
  demand: number,
  spare: number,
  most = Number.POSITIVE_INFINITY,
): number {
  const granted =
    room > demand
      ? Math.min(want + Math.floor(spare * (room - demand)), Math.max(want, most))
      : Math.min(want, Math.floor((room * want) / demand));
  return granted < least && room >= least ? least : granted;
}
