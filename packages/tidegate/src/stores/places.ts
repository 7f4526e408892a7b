// Small things about the places of keys, for work on several of them at once.

import { createKeyEntries, type KeyState } from "../algorithms/key-state.ts";
import type { Policy } from "../policy/policy.ts";
import { isOverflow, type Place } from "./key-space.ts";
import type { KeyTable } from "./key-table.ts";
import { recordName } from "./records.ts";

/** Names a permit at a place: among those of all keys that had no room by its key as well. */
export function permitName(place: Place, key: string, permit: string): string {
  return isOverflow(place) ? recordName("", key, permit) : permit;
}

/** Says that a place must not be given to another key. */
export function keep(kept: Map<KeyTable, Set<number>>, { table, slot }: Place): void {
  const slots = kept.get(table) ?? new Set();
  kept.set(table, slots.add(slot));
}

/** Returns the states of a key that was never used. */
export function freshState(policy: Policy): KeyState {
  const numbers = new Float64Array(policy.width);
  return { numbers, at: 0, entries: createKeyEntries(policy.limits) };
}
