// The leases of one node, by key, and which of them are idle: in the order in which the store last told of them.

import type { Policy } from "../policy/policy.ts";
import { Lease } from "./lease.ts";

interface Due {
  readonly lease: Lease;
  /** By this node's clock, in microseconds. */
  readonly at: number;
}

/** All leases. */
export class LeaseTable {
  readonly #byPolicy = new Map<string, Map<string, Lease>>();
  /** The policy asked for last, whose map is at hand. */
  #lastName = "";
  #last = new Map<string, Lease>();
  /** Those to be looked at, the next first. `#dueStart` of them have been. */
  #due: Due[] = [];
  #dueStart = 0;

  /** Finds a key's lease. */
  find(policyName: string, key: string): Lease | undefined {
    return this.#mapOf(policyName).get(key);
  }

  /** Begins to keep one for a key. */
  create(policy: Policy, key: string, now: number): Lease {
    const lease = new Lease(policy, key, now);
    this.#mapOf(policy.name).set(key, lease);
    return lease;
  }

  /** Forgets a lease, and will not use it again. */
  drop(lease: Lease): void {
    lease.isDropped = true;
    const keys = this.#mapOf(lease.policy.name);
    if (keys.get(lease.key) === lease) keys.delete(lease.key);
  }

  /** Remembers to look at a lease, unless it is to be looked at before. */
  later(lease: Lease, at: number): void {
    if (lease.isDue) return;
    lease.isDue = true;
    this.#due.push({ lease, at });
  }

  /** Whether there is any to look at. */
  get isDue(): boolean {
    return this.#due.length > this.#dueStart;
  }

  /** Returns the leases to look at by now. All of them where the clock was stepped back. */
  takeDue(now: number, horizonUs: number): Lease[] {
    const leases: Lease[] = [];
    for (; this.#dueStart < this.#due.length; this.#dueStart += 1) {
      const { lease, at } = this.#due[this.#dueStart]!;
      if (at > now && at - now <= horizonUs) break;
      lease.isDue = false;
      leases.push(lease);
    }
    if (this.#dueStart * 2 > this.#due.length) {
      this.#due = this.#due.slice(this.#dueStart);
      this.#dueStart = 0;
    }
    return leases;
  }

  /** All leases that are kept. */
  *all(): Iterable<Lease> {
    for (const keys of this.#byPolicy.values()) yield* keys.values();
  }

  #mapOf(policyName: string): Map<string, Lease> {
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
