// What memory remembers of keys beside their states: when they were reset, what nodes want of them, by which leases are
// shared out, and what was given back. Lua twin: pasts.lua.

import { createGifts, type Gifts, passedGifts } from "../algorithms/gifts.ts";
import type { Demand } from "../algorithms/lease.ts";
import type { Policy } from "../policy/policy.ts";
import { Records, type Remembered, recordName } from "./records.ts";

/** What is remembered of a key. */
export interface Past extends Remembered {
  /** When it was reset last: what was taken before is not there to be given back. */
  readonly resetAt: number;
  /** The rules of the limits that it is about, and what was given back to each. */
  readonly rules: string;
  readonly gifts: readonly Gifts[];
  /** What nodes want of it, the latest last. */
  readonly demands: readonly Demand[];
}

/** The pasts of a store's keys. */
export class MemoryPasts {
  readonly #records: Records<Past>;

  constructor(maxRecords: number, sweeps: boolean) {
    this.#records = new Records(maxRecords, sweeps);
  }

  /** Finds a key's past, of which other rules than the policy's have what can be known. */
  find(policy: Policy, key: string, now: number): Past | undefined {
    const found = this.#records.find(recordName(policy.name, key, ""), now);
    return found === undefined || found.rules === policy.rules ? found : carry(found, policy);
  }

  /** Finds a key's past, or makes one. */
  of(policy: Policy, key: string, now: number): Past {
    return this.find(policy, key, now) ?? carry({ ...NONE, gifts: [] }, policy);
  }

  /** Remembers the past of a key for so long at least. */
  remember(policy: Policy, key: string, past: Past, us: number, now: number): void {
    const expiresAt = Math.max(past.expiresAt, now + us);
    this.#records.set(recordName(policy.name, key, ""), { ...past, expiresAt }, now);
  }
}

const NONE = { resetAt: 0, rules: "", demands: [], expiresAt: 0 };

/** Returns a past that goes on under other rules, of whose gifts nothing is told apart. */
function carry(past: Past, { rules, limits }: Policy): Past {
  const gifts = limits.map((_limit, index) => passedGifts(past.gifts[index] ?? createGifts()));
  return { ...past, rules, gifts };
}
