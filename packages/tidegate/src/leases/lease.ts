// What one node holds and knows of one key: units to spend, how fast they are asked for, who waits for more, what it
// owes, and what the store said last.

import { createFailOpen, type Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { LeaseAsk, Outcome } from "../ports/store.ts";
import { Demand } from "./demand.ts";
import { Hand } from "./hand.ts";
import { LastAnswer } from "./last-answer.ts";
import { Owed } from "./owed.ts";
import type { Tranche } from "./tranche.ts";
import type { Waiter } from "./waiting.ts";

/** A lease lasts so long, or twice its policy's `syncInterval`, whichever is more. */
const LEASE_US = 1_000_000;

/** How far ahead a lease is to last, in seconds. */
const HORIZON_S = 0.2;

/** A lease is renewed when so much of it is left, or what is asked for in so many seconds, whichever is more. */
const LOW_SHARE = 0.2;
const LOW_S = 0.02;

/** A lease is renewed as well when so much of its time is over: whoever asked next would wait. */
const RENEW_SHARE = 0.8;

/** A key that was asked for so little before is asked about ahead when so many units were asked for since. */
const BUSY_UNITS = 3;

/** How much longer than it must be a quiet time is at most: who always asks after another gets less than that one. */
const JITTER = 0.25;

/** Questions after which the store itself decides what was granted too late each time. */
const MAX_ASKS = 2;

/** What is asked of the store. */
export interface Question {
  readonly ask: LeaseAsk;
  /** Units without which what waits longest is not served; 0 where nothing is wanted. */
  readonly least: number;
  /** Units that those lack who wait, be it more than there ever are. */
  readonly missing: number;
  /** By this node's clock. */
  readonly askedAt: number;
  /** Microseconds from then on for which the grant may be spent. */
  readonly lastsUs: number;
}

/** One key of a policy, on one node. */
export class Lease {
  readonly policy: Policy;
  readonly key: string;
  readonly hand = new Hand();
  readonly demand: Demand;
  /** Whether a question about it is under way, or about to be. */
  isAsking = false;
  /** Whether it is not to be used again: the key was reset, or has other limits by now. */
  isDropped = false;
  /** Whether the next question is to leave all to others that nobody waits for. */
  isYielding = false;
  /**
   * When the debt of the key is paid at the latest, by what the store said last; 0 where it is not in debt, Infinity
   * where that is not known.
   */
  debtEndsAt = 0;
  /** Whether so much was asked for, when the store was asked, that the next lease is asked for ahead. */
  #isBusy = false;
  /** When it was looked at last and had been asked for. */
  #wantedAt: number;
  /** When it was asked for what the store said last, by this node's clock. */
  askedAt = Number.NEGATIVE_INFINITY;
  readonly #owed: Owed;
  /** Whether another one, of other limits, tells of what is owed from now on. */
  #isFollowed = false;
  #waiters: Waiter[] = [];
  #answer: LastAnswer | undefined;

  /** @param before what was held of the key under other limits. */
  constructor(policy: Policy, key: string, now: number, before?: Lease) {
    this.policy = policy;
    this.key = key;
    this.#owed = before === undefined ? new Owed() : before.#owed;
    if (before !== undefined) before.#isFollowed = true;
    this.demand = new Demand(now);
    this.#wantedAt = now;
  }

  /** Units admitted that no lease covered, and that the store has not confirmed. */
  get owed(): number {
    return this.#owed.units;
  }

  /** Whether it is asked for so much that the next lease is to be had before it is needed. */
  get isBusy(): boolean {
    return this.#isBusy || this.demand.asked >= BUSY_UNITS;
  }

  /** Whether nothing was asked for during as long as a lease lasts; to be asked once for each look at it. */
  isIdleAt(now: number): boolean {
    if (!this.demand.takeIdle(now)) this.#wantedAt = now;
    const age = now - this.#wantedAt;
    return age < 0 || age >= leaseUs(this.policy);
  }

  /** Whether it is not known how much the key is in debt, and so the store is to be asked, wanted or not. */
  get isInDoubt(): boolean {
    const isUnknown = this.debtEndsAt === Number.POSITIVE_INFINITY;
    return isUnknown && !this.isDropped && !this.#owed.isBeingReset;
  }

  /** Whether checks wait. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** Has a check wait for the next grant. */
  wait(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** Forgets those who wait no more. */
  forgetWaiters(): void {
    if (this.#waiters.length > 0) this.#waiters = this.#waiters.filter(({ isOver }) => !isOver);
  }

  /** Whether the store is to be told something: what is worth giving back, or owed. */
  hasNews(now: number): boolean {
    return this.#untold > 0 || this.hand.hasBacks(now);
  }

  /** Whether what the store said last is still of use: that it is not to be asked, or that the key is in debt. */
  isRemembered(now: number): boolean {
    if (this.isDropped) return false;
    return this.isQuiet(now) || this.debtEndsAt > now;
  }

  /** Whether the store is not to be asked yet. */
  isQuiet(now: number): boolean {
    return this.#answer?.isQuiet(now) === true;
  }

  /** Forgets that anything was denied: units have come back by another way than time. */
  hope(): void {
    this.#answer?.hope();
  }

  /** Puts away what is in hand: the key is about to be reset. */
  beginReset(): void {
    this.hand.putAway();
    this.#owed.beginReset();
  }

  /** Forgets what was in hand and owed, where the key was reset. */
  endReset(isDone: boolean): void {
    if (isDone) this.hand.forfeit();
    this.#owed.endReset(isDone);
  }

  /** Answers that what was just spent was admitted. */
  admitted(now: number): Decision {
    return this.#answer!.admission(this.hand.unitsAt(now), now);
  }

  /** Answers that a cost that is not in hand is denied; undefined where that is not known. */
  deny(cost: number, now: number): Decision | undefined {
    return this.#answer?.denial(cost, this.hand.unitsAt(now), now);
  }

  /** Admits a cost that is not in hand. */
  lend(cost: number, now: number): Decision {
    this.#owed.untold += cost;
    const inHand = this.hand.unitsAt(now);
    const decision =
      this.#answer?.admission(inHand, now) ?? createFailOpen(this.policy, this.key, cost, now);
    const remaining = Math.max(decision.remaining - this.owed, 0);
    return { ...decision, remaining, source: "lease" };
  }

  /** Takes what is to be given back and charged, and says what is wanted: nothing where nobody asks for any. */
  createQuestion(node: string, now: number): Question {
    this.hand.expire(now);
    if (!this.isQuiet(now)) this.hand.makeRoom();
    const lastsUs = leaseUs(this.policy);
    const yields = this.isYielding || this.isDropped;
    this.isYielding = false;
    const want = this.#want(yields, now);
    const first = this.#waiters[0];
    const missing = first === undefined ? 1 : first.cost - this.hand.unitsAt(now);
    for (const waiter of this.#waiters) waiter.asks += 1;
    const ask = {
      node,
      want,
      spare: yields ? 0 : this.policy.leaseFraction,
      // What comes on top is for the time that the lease lasts: more of a large limit would lie here unused, and where
      // it cannot be given back be lost for as long as it takes to return.
      most: Math.ceil((want * lastsUs) / (HORIZON_S * 1e6)),
      keepUs: 4 * lastsUs,
      // Who charges is told of the debt, and must be the one who lends.
      owed: this.#isFollowed ? 0 : this.#owed.charge(),
      backs: this.hand.takeBacks(now),
    };
    return {
      ask,
      least: Math.min(Math.max(missing, 1), want),
      missing: this.#waitingUnits() - this.hand.unitsAt(now),
      askedAt: now,
      lastsUs,
    };
  }

  get #untold(): number {
    return this.#isFollowed ? 0 : this.#owed.untold;
  }

  #waitingUnits(): number {
    return this.#waiters.reduce((sum, { cost }) => sum + cost, 0);
  }

  #want(yields: boolean, now: number): number {
    const soon = this.demand.rateAt(now) * HORIZON_S;
    const waiting = this.#waitingUnits();
    // What is hardly asked for is not asked about ahead.
    const isAhead = !yields && !this.isQuiet(now) && (soon >= 1 || this.#untold > 0);
    if (waiting === 0 && !isAhead) return 0;
    const most = Math.min(...this.policy.limits.map(({ limit }) => limit));
    const ahead = isAhead ? Math.ceil(soon) : 0;
    return Math.min(Math.max(waiting - this.hand.unitsAt(now), ahead, 1), most);
  }

  /**
   * Takes what the store has granted, and serves those who wait.
   * @param chance from 0 to 1, by which the quiet times of nodes differ.
   */
  receive(question: Question, outcome: Outcome, now: number, chance: number): void {
    const { ask } = question;
    const { units, debt } = outcome.lease!;
    const isShort = units < ask.want || units < question.missing;
    const answer = new LastAnswer(this.policy, outcome, isShort ? 1 + JITTER * chance : 0, now);
    this.#owed.charged(ask.owed);
    this.askedAt = question.askedAt;
    // What only gives back asks nothing that an earlier answer does not know.
    if (ask.want > 0) this.#answer = answer;
    // What was asked during a reset may be of before it.
    const wasReset = this.debtEndsAt === Number.POSITIVE_INFINITY && this.#owed.isBeingReset;
    if (!wasReset) this.debtEndsAt = debt > 0 ? now + answer.resetUs : 0;
    const soon = this.demand.rateAt(now) * HORIZON_S;
    this.#isBusy = soon >= 2;
    this.hand.low = Math.max((soon / HORIZON_S) * LOW_S, units * LOW_SHARE);
    if (units > 0) this.hand.add(trancheOf(question, outcome, answer.resetUs));
    this.#serve(isShort, now);
  }

  #serve(isShort: boolean, now: number): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.isOver) continue;
      if (this.hand.spend(waiter.cost, now)) waiter.answer(this.admitted(now));
      else if (isShort) waiter.answer(this.deny(waiter.cost, now)!);
      // It came while the question was under way, or what was granted has ended on the way.
      else this.#waiters.push(waiter);
    }
  }

  /** Takes those who have waited for several grants, and got nothing of any: windows are shorter than the way. */
  takeTired(): readonly Waiter[] {
    if (this.#waiters.length === 0) return this.#waiters;
    const tired = this.#waiters.filter(({ asks }) => asks >= MAX_ASKS);
    if (tired.length > 0) this.#waiters = this.#waiters.filter(({ asks }) => asks < MAX_ASKS);
    return tired;
  }

  /** Takes back what was to be charged, for nobody knows whether it was; returns those who wait no more. */
  fail({ ask }: Question): readonly Waiter[] {
    this.#owed.failed(ask.owed);
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }
}

/** What was granted, of a key that is as if never used after so many microseconds. */
function trancheOf({ askedAt, lastsUs }: Question, outcome: Outcome, resetUs: number): Tranche {
  const { units, windowLeftUs } = outcome.lease!;
  return {
    units,
    from: askedAt,
    lastsUs: Math.min(lastsUs, windowLeftUs),
    // What ends with a window is not renewed within it.
    renewUs: windowLeftUs > lastsUs ? lastsUs * RENEW_SHARE : Number.POSITIVE_INFINITY,
    returnsUs: Math.min(resetUs, 3 * lastsUs),
    back: { takenAt: outcome.at, receipt: outcome.receipts[0]! },
  };
}

function leaseUs({ syncIntervalMs }: Policy): number {
  return Math.max(LEASE_US, 2_000 * syncIntervalMs);
}
