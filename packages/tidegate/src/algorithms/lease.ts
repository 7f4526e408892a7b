// How many units a node is granted to spend from its memory: its part of what is there, by what all nodes ask for.
// Lua twin: stores/redis/leases.lua.

import { consumed, type Limit } from "./dispatch.ts";
import type { KeyState } from "./key-state.ts";

/** How long what a node asked for counts, in microseconds. */
export const DEMAND_US = 1_000_000;

/** Nodes told apart; of more the demand is believed to be less than it is, and never more granted than there is. */
export const MAX_DEMANDS = 128;

/** What there is of a key, after the states have been brought to now. */
export interface Room {
  /** Units that all hard limits have, and no more than the least limit has at all. */
  readonly units: number;
  /** By how many units the deepest of them is in debt. */
  readonly debt: number;
}

/** Returns what there is of a key. */
export function roomOf(limits: readonly Limit[], state: KeyState, now: number): Room {
  let units = Number.POSITIVE_INFINITY;
  let debt = 0;
  let offset = state.at;
  for (const limit of limits) {
    units = Math.min(units, limit.limit);
    if (!limit.soft) {
      const left = limit.limit - consumed(limit, state.numbers, offset, now);
      units = Math.min(units, Math.max(left, 0));
      debt = Math.max(debt, -left);
    }
    offset += limit.width;
  }
  return { units, debt };
}

/** Returns microseconds until the first window of a hard limit ends; Infinity where none does. */
export function windowLeft(limits: readonly Limit[], state: KeyState, now: number): number {
  let left = Number.POSITIVE_INFINITY;
  let offset = state.at;
  for (const limit of limits) {
    const start = state.numbers[offset]!;
    if (limit.soft) {
      // Units beyond it are admitted all the same.
    } else if (limit.algorithm === "fixed-window" || limit.algorithm === "sliding-window") {
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
