// The leases of one node, by key, and when each is to be looked at again: all of them, whatever they hold, so that none
// is kept for ever.

import type { Policy } from "../policy/policy.ts";
import { Lease } from "./lease.ts";

/** How long a lease is not looked at, in microseconds. */
const WATCH_US = 1_000_000;

interface Watched {
  readonly lease: Lease;
  /** By this node's clock, in microseconds. */
  readonly at: number;
}

/** All leases. */
export class LeaseTable {
  readonly #byPolicy = new Map<string, Map<string, Lease>>();
  /** The policy asked for last, whose map is at hand. */
  #lastName: string | undefined;
  #last = new Map<string, Lease>();
  /** Those to be looked at, the next first; before `#next` they have been. */
  #watched: Watched[] = [];
  #next = 0;

  /** Finds a key's lease. */
  find(policyName: string, key: string): Lease | undefined {
    return this.#keysOf(policyName).get(key);
  }

  /** Begins to keep one for a key, after what was held of it under other limits. */
  create(policy: Policy, key: string, now: number, before?: Lease): Lease {
    const lease = new Lease(policy, key, now, before);
    this.#keysOf(policy.name).set(key, lease);
    this.watch(lease, now);
    return lease;
  }

  /** Forgets a lease, and will not use it again. */
  drop(lease: Lease): void {
    lease.isDropped = true;
    const keys = this.#keysOf(lease.policy.name);
    if (keys.get(lease.key) === lease) keys.delete(lease.key);
  }

  /** Has a lease looked at in a second. Of each only once at a time. */
  watch(lease: Lease, now: number): void {
    this.#watched.push({ lease, at: now + WATCH_US });
  }

  /** Number of leases that will be looked at. */
  get size(): number {
    return this.#watched.length - this.#next;
  }

  /** Takes the leases that are to be looked at by now; all of them where the clock was stepped back. */
  takeDue(now: number): Lease[] {
    const leases: Lease[] = [];
    for (; this.#next < this.#watched.length; this.#next += 1) {
      const { lease, at } = this.#watched[this.#next]!;
      if (at > now && at - now <= WATCH_US) break;
      leases.push(lease);
    }
    if (this.#next * 2 >= this.#watched.length) {
      this.#watched = this.#watched.slice(this.#next);
      this.#next = 0;
    }
    return leases;
  }

  /** All leases that are kept. */
  *all(): Iterable<Lease> {
    for (const keys of this.#byPolicy.values()) yield* keys.values();
  }

  #keysOf(policyName: string): Map<string, Lease> {
    if (policyName === this.#lastName) return this.#last;
    let keys = this.#byPolicy.get(policyName);
    if (keys === undefined) {
      keys = new Map();
      this.#byPolicy.set(policyName, keys);
    }
    this.#lastName = policyName;
    this.#last = keys;
    return keys;
  }
}
