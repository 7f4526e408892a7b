// Keeps the leases of one node in step with the store: asks for what is wanted, gives back what is not, and forgets
// keys that nobody asks for. One timer looks after all of them.

import type { Decision } from "../decision.ts";
import { isUnavailable } from "../errors.ts";
import type { Policy } from "../policy/policy.ts";
import type { AnsweringStore } from "../ports/answering-store.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Outcome } from "../ports/store.ts";
import type { LeaseEvent, Telemetry } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";
import type { Lease, Question } from "./lease.ts";
import { LeaseAsks } from "./lease-asks.ts";
import { LeaseTable } from "./lease-table.ts";
import { type Waiter, Waiting } from "./waiting.ts";

/** How often idle leases are looked for. */
const SWEEP_MS = 250;

/** Checks that may wait for a lease. */
const MAX_WAITING = 100_000;

/** Keys in debt that are remembered; with more, nothing is lent. */
const MAX_DEBTS = 100_000;

/** What it needs. */
export interface LeaseKeeperOptions {
  readonly store: AnsweringStore;
  /** Names this node, unlike any other. */
  readonly id: string;
  readonly telemetry: Telemetry | undefined;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/** The leases of a node. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #leases = new LeaseTable();
  readonly #asks: LeaseAsks;
  readonly #waiting: Waiting;
  /** Questions under way, and what waits until there are none. */
  #inFlight = 0;
  #settling: (() => void)[] = [];
  /** Leases whose keys are in debt, which must not be forgotten before that is paid. */
  readonly #debts = new Set<Lease>();
  #cancelSweep: (() => void) | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#asks = new LeaseAsks({ ...options, send: (leases) => this.#send(leases) });
    const { timer, scheduler } = options;
    this.#waiting = new Waiting({
      timer,
      scheduler,
      instead: (policy, waiter) => this.#giveUp(policy, waiter),
    });
    options.telemetry?.leasesHeld?.(() => this.#unitsHeld());
  }

  /** Finds a key's lease. */
  find(policyName: string, key: string): Lease | undefined {
    return this.#leases.find(policyName, key);
  }

  /** Finds a key's lease, or begins to keep one. */
  leaseOf(policy: Policy, key: string, now: number): Lease {
    const known = this.#leases.find(policy.name, key);
    if (known !== undefined && known.policy === policy) return known;
    this.#sweepLater();
    if (known === undefined) return this.#leases.create(policy, key, now);
    // Its limits are others by now: what is in hand was debited from those before, and what is owed stays owed.
    const lease = this.#follow(known, policy, now, known.owed > 0);
    this.giveBack(known, now);
    if (lease.hasNews(now)) this.ask(lease, now);
    return lease;
  }

  /** Begins to keep a lease in the place of another, of a key that may be in debt as far as that is known. */
  #follow(known: Lease, policy: Policy, now: number, mayBeInDebt: boolean): Lease {
    const lease = this.#leases.create(policy, known.key, now, known);
    lease.debtEndsAt = mayBeInDebt ? Number.POSITIVE_INFINITY : known.debtEndsAt;
    this.#drop(known);
    if (lease.debtEndsAt > 0) this.#debts.add(lease);
    return lease;
  }

  /** Has the store asked about a lease soon, where it may be and that is not under way. */
  ask(lease: Lease, now: number): void {
    if (lease.isAsking || lease.isQuiet(now) || this.#isAway(lease)) return;
    this.#ask(lease);
  }

  /** Whether one more key may come into debt. */
  get mayLend(): boolean {
    return this.#debts.size < MAX_DEBTS;
  }

  /** Has a check wait for the next lease. */
  wait(lease: Lease, cost: number): Decision | Promise<Decision> {
    if (this.#waiting.size >= MAX_WAITING || this.#isAway(lease)) {
      return this.#options.store.answer(lease.policy, lease.key, cost);
    }
    this.#options.telemetry?.leaseAwaited?.(lease.policy.name);
    return this.#waiting.wait(lease.policy, lease.key, cost, (waiter) => {
      lease.wait(waiter);
      if (lease.isAsking) this.#asks.hurry(lease.policy.deadlineMs);
      else this.#ask(lease);
    });
  }

  /** Answers a check in place of the store, whose grants came too late for it. */
  #giveUp(policy: Policy, { key, cost }: Waiter): Decision {
    return this.#options.store.answer(policy, key, cost);
  }

  /** Gives what is in hand of a key back, ahead of all that is asked of the store from now on. */
  giveBack(lease: Lease, now: number): void {
    lease.hand.putAway();
    if (!lease.hasNews(now) || this.#isAway(lease)) return;
    lease.isYielding = true;
    if (!lease.isAsking) this.#ask(lease);
    this.#asks.flush();
  }

  /**
   * Puts away what is in hand of a key that is about to be reset, and lends nothing of it until the store has said how
   * it stands. Returns what is to be told whether it was reset: where it was not, all that was held is held still.
   */
  beginReset(policyName: string, key: string): (isDone: boolean) => void {
    const lease = this.#leases.find(policyName, key);
    if (lease === undefined) return () => {};
    const { clock } = this.#options;
    lease.beginReset();
    this.#follow(lease, lease.policy, clock.now(), lease.policy.maxOvershoot > 0 || lease.owed > 0);
    this.#sweepLater();
    return (isDone) => {
      lease.endReset(isDone);
      this.#tellLost(lease);
      if (isDone) return;
      const now = clock.now();
      this.giveBack(lease, now);
      const next = this.#leases.find(policyName, key);
      if (next?.hasNews(now)) this.ask(next, now);
    };
  }

  /** Serves those who wait, and gives everything back. */
  async close(): Promise<void> {
    await this.#settle();
    this.#cancelSweep?.();
    const now = this.#options.clock.now();
    for (const lease of this.#leases.all()) {
      this.#drop(lease);
      lease.hand.putAway();
      if (lease.hasNews(now) && !this.#isAway(lease)) this.#ask(lease);
      else this.#forfeit(lease);
    }
    await this.#settle();
  }

  /** Resolves when nothing is asked any more. */
  async #settle(): Promise<void> {
    do {
      this.#asks.flush();
      if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#settling.push(resolve));
    } while (this.#inFlight > 0 || this.#asks.size > 0);
  }

  /** Forgets what cannot be given back. */
  #forfeit(lease: Lease): void {
    lease.hand.forfeit();
    this.#tellLost(lease);
  }

  #isAway({ policy, key }: Lease): boolean {
    return this.#options.store.isAway(policy, key);
  }

  #drop(lease: Lease): void {
    this.#leases.drop(lease);
    this.#debts.delete(lease);
  }

  #ask(lease: Lease): void {
    lease.isAsking = true;
    this.#asks.add(lease, lease.isAwaited ? lease.policy.deadlineMs : undefined);
  }

  #send(leases: readonly Lease[]): void {
    const now = this.#options.clock.now();
    for (const lease of leases) {
      lease.forgetWaiters();
      const question = lease.createQuestion(this.#options.id, now);
      this.#tellLost(lease);
      const { want, owed, backs } = question.ask;
      if (want === 0 && owed === 0 && backs.length === 0 && !lease.isInDoubt) {
        lease.isAsking = false;
        continue;
      }
      const part = { policy: lease.policy, key: lease.key, cost: question.least };
      this.#inFlight += 1;
      this.#options.store.borrow(
        { kind: "lease", part, ask: question.ask },
        {
          resolve: (outcome) => this.#answered(lease, question, outcome),
          reject: (error) => this.#failed(lease, question, error),
        },
      );
    }
  }

  #answered(lease: Lease, question: Question, outcome: Outcome): void {
    lease.isAsking = false;
    const { name } = lease.policy;
    this.#tell(name, "granted", outcome.lease!.units);
    for (const { units } of question.ask.backs) this.#tell(name, "returned", units);
    this.#receive(lease, question, outcome);
    this.#ended();
  }

  #failed(lease: Lease, question: Question, error: unknown): void {
    lease.isAsking = false;
    // Whether they were given back is not known, and they are not given back twice.
    for (const { units } of question.ask.backs) this.#tell(lease.policy.name, "expired", units);
    for (const waiter of lease.fail(question)) {
      // What the application did wrong is not for the policy to answer.
      if (!isUnavailable(error)) waiter.fail(error);
      else if (!waiter.isOver) waiter.answer(this.#giveUp(lease.policy, waiter));
    }
    this.#ended();
  }

  #ended(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0 || this.#settling.length === 0) return;
    const settling = this.#settling;
    this.#settling = [];
    for (const resolve of settling) resolve();
  }

  #receive(lease: Lease, question: Question, outcome: Outcome): void {
    const now = this.#options.clock.now();
    lease.receive(question, outcome, now, this.#options.random.next());
    for (const waiter of lease.takeTired()) void this.#askForTired(lease.policy, waiter);
    if (lease.isDropped) lease.hand.putAway();
    else if (lease.debtEndsAt > 0) this.#debts.add(lease);
    else this.#debts.delete(lease);
    if (lease.isAwaited || (lease.isDropped && lease.hasNews(now))) this.#ask(lease);
  }

  /** Has the store decide a check itself. */
  async #askForTired(policy: Policy, waiter: Waiter): Promise<void> {
    const { store, telemetry } = this.#options;
    try {
      const decision = await store.decide(policy, waiter.key, waiter.cost, true);
      const isLate = !waiter.answer(decision);
      if (isLate && decision.allowed && decision.source === "store") {
        telemetry?.answeredLate?.(decision);
      }
    } catch (error) {
      waiter.fail(error);
    }
  }

  #sweepLater(): void {
    this.#cancelSweep ??= this.#options.timer.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      this.#sweep();
      if (this.#leases.size > 0) this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const lease of this.#leases.takeDue(now)) {
      lease.hand.expire(now);
      const isIdle = lease.isIdleAt(now) || lease.isDropped;
      if (isIdle) lease.hand.putAway();
      const hasNews = lease.hasNews(now) || lease.isInDoubt;
      this.#tellLost(lease);
      if (hasNews && !lease.isAsking && !this.#isAway(lease)) this.#ask(lease);
      const isNeeded = !isIdle || hasNews || lease.isAsking || lease.isRemembered(now);
      if (isNeeded) this.#leases.watch(lease, now);
      else this.#drop(lease);
    }
  }

  #tellLost({ policy, hand }: Lease): void {
    for (const units of hand.takeLost()) this.#tell(policy.name, "expired", units);
  }

  /** Returns the units in hand, by policy. */
  #unitsHeld(): Map<string, number> {
    const now = this.#options.clock.now();
    const held = new Map<string, number>();
    for (const { policy, hand } of this.#leases.all()) {
      held.set(policy.name, (held.get(policy.name) ?? 0) + hand.unitsAt(now));
    }
    return held;
  }

  #tell(policy: string, kind: LeaseEvent["kind"], units: number): void {
    if (units > 0) this.#options.telemetry?.leased?.({ policy, kind, units });
  }
}
