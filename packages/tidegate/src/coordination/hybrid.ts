// Hybrid: this node's memory decides, from leases that the shared store has debited before. All nodes together keep
// the limit; the store is asked now and then, for all keys at once. docs/coordination.md says how.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { Lease } from "../leases/lease.ts";
import { LeaseAsks } from "../leases/lease-asks.ts";
import { LeaseTable } from "../leases/lease-table.ts";
import type { Policy } from "../policy/policy.ts";
import type { AnsweringStore } from "../ports/answering-store.ts";
import type { Clock } from "../ports/clock.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { LeaseAsk, Outcome, Part, Work } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";
import type { Coordination } from "./coordination.ts";

/** A lease lasts so long, or twice its policy's `syncInterval`, whichever is more. */
const LEASE_US = 1_000_000;

/** How often idle leases are looked for. */
const SWEEP_MS = 250;

/** Checks that may wait for a lease. */
const MAX_WAITING = 100_000;

/** Grants in a row of which a check may get nothing though they were all that was wanted. */
const MAX_ASKS = 2;

/** Keys in debt that are remembered; with more, nothing is lent. */
const MAX_DEBTS = 100_000;

/** What the coordination is made of. */
export interface HybridOptions {
  readonly store: AnsweringStore;
  /** Names this node, unlike any other. */
  readonly id: string;
  readonly telemetry: Telemetry | undefined;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
}

/** Creates the hybrid coordination over a shared store. */
export function createHybrid(options: HybridOptions): Coordination {
  return new Hybrid(options);
}

class Hybrid implements Coordination {
  readonly #store: AnsweringStore;
  readonly #id: string;
  readonly #telemetry: Telemetry | undefined;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #leases = new LeaseTable();
  readonly #asks: LeaseAsks;
  readonly #inFlight = new Set<Promise<void>>();
  /** Leases whose keys are in debt, which must not be forgotten before that is paid. */
  readonly #debts = new Set<Lease>();
  #waiting = 0;
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(options: HybridOptions) {
    const { store, id, telemetry, clock, timer } = options;
    this.#store = store;
    this.#id = id;
    this.#telemetry = telemetry;
    // A lease that outlives a clock's step back would be spent in the next window.
    this.#clock = clock.steady === undefined ? clock : { now: () => clock.steady!() };
    this.#timer = timer;
    this.#asks = new LeaseAsks({
      ...options,
      clock: this.#clock,
      send: (leases) => this.#send(leases),
    });
    store.attach(telemetry);
    telemetry?.leasesHeld?.(() => this.#unitsHeld());
  }

  use(policy: Policy): void {
    requireLeasable(policy);
    this.#store.use?.(policy);
  }

  decide(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
  ): Decision | Promise<Decision> {
    if (!consume) return this.#look(policy, key, cost);
    // An override may have limits that only the store can decide.
    if (cost === 0 || !policy.leasable) return this.#store.decide(policy, key, cost, true);
    const now = this.#clock.now();
    const lease = this.#leaseOf(policy, key, now);
    lease.asked += cost;
    if (lease.spend(cost, now)) {
      if (lease.isLow(now) && !lease.isAsking && !lease.isQuiet(now)) this.#ask(lease);
      return lease.admitted(now);
    }
    const denial = lease.deny(cost, now);
    const credit = policy.maxOvershoot > 0 ? this.#lend(lease, cost, now, denial) : undefined;
    if (credit !== undefined) return credit;
    if (denial !== undefined) {
      if (!lease.isAsking && !lease.isQuiet(now)) this.#ask(lease);
      return denial;
    }
    return this.#wait(lease, cost);
  }

  async run(work: Work): Promise<Outcome> {
    const parts = work.kind === "take" ? work.parts : [work.part];
    const now = this.#clock.now();
    // What this node holds may be what is missing there. It goes first, on the same way.
    if (work.kind === "take") for (const { policy, key } of parts) this.#giveBack(policy, key, now);
    try {
      return await this.#store.run(work);
    } finally {
      for (const { policy, key } of parts) this.#leases.find(policy.name, key)?.hope();
    }
  }

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    return this.#store.split(parts);
  }

  async reset(policy: Policy, key: string): Promise<void> {
    const lease = this.#leases.find(policy.name, key);
    if (lease !== undefined) {
      this.#forfeit(lease);
      this.#leases.drop(lease);
    }
    await this.#store.reset(policy, key);
  }

  ping(): void | Promise<void> {
    return this.#store.ping();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    await this.#settle();
    const now = this.#clock.now();
    for (const lease of this.#leases.all()) {
      lease.putAway();
      lease.asked = 0;
      lease.isDropped = true;
      if (lease.hasNews(now) && !this.#store.isAway(lease.policy, lease.key)) this.#ask(lease);
      else this.#forfeit(lease);
    }
    await this.#settle();
    await this.#store.detach(this.#telemetry);
  }

  /** Asks what is to be asked, and waits for the answers and what follows from them. */
  async #settle(): Promise<void> {
    do {
      this.#asks.flush();
      await Promise.all(this.#inFlight);
    } while (!this.#asks.isEmpty || this.#inFlight.size > 0);
  }

  /** A look is answered by the store, which does not know what is in hand here. */
  async #look(policy: Policy, key: string, cost: number): Promise<Decision> {
    const decision = await this.#store.decide(policy, key, cost, false);
    const units = this.#leases.find(policy.name, key)?.unitsAt(this.#clock.now()) ?? 0;
    if (units === 0 || decision.source !== "store") return decision;
    const allowed = decision.allowed || cost <= units;
    return {
      ...decision,
      allowed,
      remaining: Math.min(decision.limit, decision.remaining + units),
      retryAfterMs: allowed ? 0 : decision.retryAfterMs,
    };
  }

  #leaseOf(policy: Policy, key: string, now: number): Lease {
    const known = this.#leases.find(policy.name, key);
    if (known !== undefined && known.policy === policy) return known;
    // Its limits are others by now: what is in hand was debited from those before.
    if (known !== undefined) this.#giveBack(known.policy, key, now);
    const lease = this.#leases.create(policy, key, now);
    // It may never be granted anything.
    this.#leases.later(lease, now + LEASE_US);
    this.#sweepLater();
    return lease;
  }

  /**
   * Admits a cost that is not in hand, within this node's part of what all nodes may owe. What is owed is charged with
   * the next question; while the key is in debt nothing more is lent.
   */
  #lend(
    lease: Lease,
    cost: number,
    now: number,
    denial: Decision | undefined,
  ): Decision | undefined {
    const { policy, key } = lease;
    const nodes = this.#store.certainNodes;
    if (
      nodes === undefined ||
      lease.inDebt ||
      this.#debts.size >= MAX_DEBTS ||
      denial?.retryAfterMs === null
    )
      return undefined;
    const least = Math.min(...policy.limits.map(({ limit }) => limit));
    if (lease.owed + cost > Math.floor((policy.maxOvershoot * least) / nodes)) return undefined;
    if (this.#store.isAway(policy, key)) return undefined;
    lease.owed += cost;
    if (!lease.isAsking && !lease.isQuiet(now)) this.#ask(lease);
    return lease.lent(cost, now);
  }

  /** Has a check wait for the next lease. */
  #wait(lease: Lease, cost: number): Decision | Promise<Decision> {
    const { policy, key } = lease;
    if (policy.limits.some(({ limit }) => cost > limit)) {
      return this.#store.decide(policy, key, cost, true);
    }
    if (this.#waiting >= MAX_WAITING || this.#store.isAway(policy, key)) {
      return this.#store.answer(policy, key, cost);
    }
    this.#telemetry?.leaseAwaited?.(policy.name);
    return new Promise((resolve) => {
      this.#waiting += 1;
      lease.waiters.push({ cost, resolve, asks: 0 });
      if (!lease.isAsking) this.#ask(lease);
    });
  }

  #ask(lease: Lease): void {
    lease.isAsking = true;
    this.#asks.add(lease);
  }

  #send(leases: readonly Lease[]): void {
    const now = this.#clock.now();
    for (const lease of leases) {
      const call = this.#borrow(lease, now);
      this.#inFlight.add(call);
      void call.then(() => this.#inFlight.delete(call));
    }
  }

  async #borrow(lease: Lease, askedAt: number): Promise<void> {
    const { policy, key } = lease;
    const lastsUs = Math.max(LEASE_US, 2_000 * policy.syncIntervalMs);
    const { ask, least } = lease.createAsk(this.#id, 2 * lastsUs, askedAt);
    this.#tellLost(policy.name, lease.takeLost());
    if (ask.want === 0 && ask.owed === 0 && ask.backs.length === 0) {
      lease.isAsking = false;
      return;
    }
    let outcome: Outcome;
    try {
      outcome = await this.#store.borrow({ policy, key, cost: least }, ask);
    } catch {
      lease.isAsking = false;
      // They may be there again, and may not.
      this.#tellLost(
        policy.name,
        ask.backs.map(({ units }) => units),
      );
      if (lease.isDropped) this.#forfeit(lease);
      for (const { cost, resolve } of lease.waiters.splice(0)) {
        this.#waiting -= 1;
        resolve(this.#store.answer(policy, key, cost));
      }
      return;
    }
    lease.isAsking = false;
    this.#tell(policy.name, ask, outcome);
    this.#receive(lease, ask, outcome, askedAt, lastsUs);
  }

  #receive(lease: Lease, ask: LeaseAsk, outcome: Outcome, askedAt: number, lastsUs: number): void {
    const full = lease.receive(ask, outcome, askedAt, lastsUs);
    const now = this.#clock.now();
    const waiters = lease.waiters.splice(0);
    for (const waiter of waiters) {
      // Some came while the question was under way.
      const wasAsked = waiter.asks > 0;
      if (lease.spend(waiter.cost, now)) waiter.resolve(lease.admitted(now));
      else if (!full || (wasAsked && !outcome.decision.allowed)) {
        waiter.resolve(lease.refuse(waiter.cost, now));
      } else if (waiter.asks < MAX_ASKS) {
        lease.waiters.push(waiter);
        continue;
      } else {
        // What is granted ends before it is here: a window is shorter than the way.
        waiter.resolve(this.#store.decide(lease.policy, lease.key, waiter.cost, true));
      }
      this.#waiting -= 1;
    }
    if (lease.isDropped) lease.putAway();
    if (lease.inDebt) this.#debts.add(lease);
    else this.#debts.delete(lease);
    const again = lease.waiters.length > 0 || (lease.isDropped && lease.hasNews(now));
    if (again) this.#ask(lease);
  }

  /** Gives what is in hand of a key back, and begins anew. */
  #giveBack(policy: Policy, key: string, now: number): void {
    const lease = this.#leases.find(policy.name, key);
    if (lease === undefined) return;
    lease.putAway();
    this.#leases.drop(lease);
    if (lease.isAsking) return;
    if (!lease.hasNews(now) || this.#store.isAway(policy, key)) {
      this.#forfeit(lease);
      return;
    }
    this.#ask(lease);
    this.#asks.flush();
  }

  /** Forgets what is in hand. */
  #forfeit(lease: Lease): void {
    lease.forfeit();
    this.#tellLost(lease.policy.name, lease.takeLost());
  }

  /** Looks for idle leases before long. No key has a timer of its own. */
  #sweepLater(): void {
    if (this.#cancelSweep !== undefined || this.#isClosed) return;
    this.#cancelSweep = this.#timer.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      this.#sweep();
      if (this.#leases.isDue) this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const lease of this.#leases.takeDue(now, 60_000_000)) {
      if (lease.isAsking) {
        this.#leases.later(lease, now + LEASE_US);
        continue;
      }
      lease.expire(now);
      // Who forgets a debt would lend again.
      const owes = lease.owed > 0 || (lease.inDebt && lease.debtEndsAt() > now);
      if (lease.asked > 0 || lease.unitsAt(now) > 0 || owes) {
        if (lease.asked > 0) lease.rate(now);
        this.#leases.later(lease, now + LEASE_US);
      } else {
        this.#debts.delete(lease);
        this.#leases.drop(lease);
      }
      if (lease.hasNews(now) && !this.#store.isAway(lease.policy, lease.key)) this.#ask(lease);
      else if (lease.isDropped) this.#forfeit(lease);
      else this.#tellLost(lease.policy.name, lease.takeLost());
    }
  }

  #tell(policy: string, ask: LeaseAsk, { lease }: Outcome): void {
    const telemetry = this.#telemetry;
    if (telemetry?.leased === undefined) return;
    if (lease!.units > 0) telemetry.leased({ policy, kind: "granted", units: lease!.units });
    for (const { units } of ask.backs) telemetry.leased({ policy, kind: "returned", units });
  }

  #tellLost(policy: string, lost: readonly number[]): void {
    for (const units of lost) this.#telemetry?.leased?.({ policy, kind: "expired", units });
  }

  /** Returns the units in hand, by policy. */
  #unitsHeld(): Map<string, number> {
    const now = this.#clock.now();
    const held = new Map<string, number>();
    for (const lease of this.#leases.all()) {
      const { name } = lease.policy;
      held.set(name, (held.get(name) ?? 0) + lease.unitsAt(now));
    }
    return held;
  }
}

/** @throws TidegateError INVALID_OPTION where a limit cannot be spent from memory. */
function requireLeasable({ name, limits, leasable }: Policy): void {
  if (leasable) return;
  const other = limits.find(({ soft, algorithm }) => soft || !LEASABLE.has(algorithm));
  const what = other?.soft === true ? "a soft limit" : `a limit by ${other?.algorithm}`;
  throw new TidegateError(
    "INVALID_OPTION",
    `policies.${name} must have token buckets, fixed, sliding or calendar windows that are hard for ` +
      `coordination "hybrid", got ${what}: it needs "central"`,
    { field: `policies.${name}.limits` },
  );
}

const LEASABLE = new Set(["token-bucket", "fixed-window", "sliding-window", "calendar-window"]);
