// Hybrid: this node's memory decides, from leases that the shared store has debited before. All nodes together keep
// the limit; the store is asked now and then, for all keys at once. docs/coordination.md says how.

import type { Decision } from "../decision.ts";
import type { Lease } from "../leases/lease.ts";
import { LeaseKeeper, type LeaseKeeperOptions } from "../leases/lease-keeper.ts";
import { Lending } from "../leases/lending.ts";
import { isNever, type Policy } from "../policy/policy.ts";
import type { AnsweringStore } from "../ports/answering-store.ts";
import type { Clock, SteadyClock } from "../ports/clock.ts";
import type { Outcome, Part, Work } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Coordination } from "./coordination.ts";
import { requireLeasable } from "./require-leasable.ts";

/** What it is made of. */
export interface HybridOptions extends LeaseKeeperOptions {
  /** The one of the store, whose `certainNodes` are since an instant of it. */
  readonly clock: SteadyClock;
}

/** Creates the hybrid coordination over a shared store. */
export function createHybrid(options: HybridOptions): Coordination {
  const { clock } = options;
  // A lease that outlives a clock's step back would be spent in the next window.
  return new Hybrid({ ...options, clock: { now: clock.steady.bind(clock) } });
}

class Hybrid implements Coordination {
  readonly #store: AnsweringStore;
  readonly #telemetry: Telemetry | undefined;
  readonly #clock: Clock;
  readonly #keeper: LeaseKeeper;
  readonly #lending: Lending;

  constructor(options: LeaseKeeperOptions) {
    this.#store = options.store;
    this.#telemetry = options.telemetry;
    this.#clock = options.clock;
    this.#keeper = new LeaseKeeper(options);
    this.#lending = new Lending(options.store);
    this.#store.attach(this.#telemetry);
  }

  use(policy: Policy): void {
    requireLeasable(policy, "hybrid");
    this.#lending.use(policy, this.#clock.now());
    this.#store.use?.(policy);
  }

  decide(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
  ): Decision | Promise<Decision> {
    if (!consume || cost === 0) return this.#look(policy, key, cost);
    const now = this.#clock.now();
    // An override may have limits that only the store can decide.
    if (!policy.leasable) return this.#inStore(policy, key, cost, now);
    const lease = this.#keeper.leaseOf(policy, key, now);
    const { hand, demand } = lease;
    if (!hand.spend(cost, now)) return this.#beyond(lease, cost, now);
    demand.asked += cost;
    if (hand.isLow(now) && lease.isBusy) this.#keeper.ask(lease, now);
    return lease.admitted(now);
  }

  async run(work: Work): Promise<Outcome> {
    const parts = work.kind === "take" ? work.parts : [work.part];
    const now = this.#clock.now();
    for (const { policy, key } of parts) {
      const lease = this.#keeper.find(policy.name, key);
      // What this node holds may be what is missing there. It goes first, on the same way.
      if (lease !== undefined && work.kind === "take") this.#keeper.giveBack(lease, now);
    }
    try {
      return await this.#store.run(work);
    } finally {
      if (work.kind !== "take") {
        for (const { policy, key } of parts) this.#keeper.find(policy.name, key)?.hope();
      }
    }
  }

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    return this.#store.split(parts);
  }

  async reset(policy: Policy, key: string): Promise<void> {
    const end = this.#keeper.beginReset(policy.name, key);
    try {
      await this.#store.reset(policy, key);
    } catch (error) {
      end(false);
      throw error;
    }
    end(true);
  }

  ping(): void | Promise<void> {
    return this.#store.ping();
  }

  async close(): Promise<void> {
    await this.#keeper.close();
    await this.#store.detach(this.#telemetry);
  }

  /** A look is answered by the store, which does not know what is in hand here. */
  async #look(policy: Policy, key: string, cost: number): Promise<Decision> {
    const inHand = this.#keeper.find(policy.name, key)?.hand.unitsAt(this.#clock.now()) ?? 0;
    const missing = isNever(policy, cost) ? cost : Math.max(cost - inHand, 0);
    const decision = await this.#store.decide(policy, key, missing, false);
    if (inHand === 0 || decision.source !== "store") return decision;
    return { ...decision, remaining: Math.min(decision.limit, decision.remaining + inHand) };
  }

  #inStore(policy: Policy, key: string, cost: number, now: number): Decision | Promise<Decision> {
    const lease = this.#keeper.find(policy.name, key);
    if (lease !== undefined) this.#keeper.giveBack(lease, now);
    return this.#store.decide(policy, key, cost, true);
  }

  /** Decides a cost that is not in hand. */
  #beyond(lease: Lease, cost: number, now: number): Decision | Promise<Decision> {
    const { policy, key, demand } = lease;
    if (isNever(policy, cost)) return this.#store.decide(policy, key, cost, true);
    demand.asked += cost;
    if (policy.maxOvershoot > 0 && this.#keeper.mayLend && this.#lending.allows(lease, cost, now)) {
      const decision = lease.lend(cost, now);
      this.#keeper.ask(lease, now);
      return decision;
    }
    const denial = lease.deny(cost, now);
    if (denial === undefined) return this.#keeper.wait(lease, cost);
    this.#keeper.ask(lease, now);
    return denial;
  }
}
