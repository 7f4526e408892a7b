// What nodes asked for of each key within the last second, by which leases are shared out. Lua twin: leases.lua.

import { DEMAND_US, MAX_DEMANDS } from "../algorithms/lease.ts";

interface Demand {
  readonly node: string;
  readonly units: number;
  readonly at: number;
}

/** Keys whose demands are kept; those that were asked for first go first. */
const MAX_KEYS = 100_000;

/** The demands of a store's keys. */
export class MemoryDemands {
  readonly #byName = new Map<string, readonly Demand[]>();

  /** Notes what a node wants of a key, and returns what all do. */
  note(name: string, node: string, units: number, now: number): number {
    const known = this.#byName.get(name) ?? [];
    const kept = known.filter((demand) => {
      const age = now - demand.at;
      return demand.node !== node && age >= 0 && age < DEMAND_US;
    });
    kept.length = Math.min(kept.length, MAX_DEMANDS - 1);
    const total = kept.reduce((sum, demand) => sum + demand.units, units);
    if (units > 0) kept.push({ node, units, at: now });
    this.#byName.delete(name);
    if (kept.length === 0) return total;
    this.#byName.set(name, kept);
    // Only where it must: to find the first, a Map passes by all that was deleted before it.
    if (this.#byName.size > MAX_KEYS) this.#byName.delete(this.#byName.keys().next().value!);
    return total;
  }
}
