// Which part of what is left of a key a node may spend before it hears from the others again: its part of the demand.
// All parts together are the whole, so that the nodes do not spend the same units; and idle nodes have no part, so that
// nothing is stranded.
//
// A node knows the balance of a key as of some moments ago. What it has spent since is a sign of what the others have,
// which it does not know yet. So of the balance that there would be without its own spending it takes its share, less
// what it has spent already: spent <= share × (room + spent). Of those of whom the news is older, in other regions or
// cut off a moment ago, more is unknown, and by what this node has spent since then it is reckoned by itself: else what
// is known of those near would be kept from them a second time. Of what comes back its share is its own in any case, as
// it comes, or a bucket that fills in less time than news takes would never be used up. What is left over of a unit is
// drawn by chance, so that a hundred nodes with a share of 0.05 units each admit five of them and not none.

import {
  createElsewhere,
  createStanding,
  isWindow,
  type Standing,
} from "../algorithms/elsewhere.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { Random } from "../ports/random.ts";
import type { CountedKey } from "./counted-key.ts";
import { demandOf } from "./demand.ts";
import { Levelling } from "./levelling.ts";
import type { Origin } from "./origin.ts";
import type { Surroundings, View } from "./surroundings.ts";

/** How many times as old as news a debt may become until it is repaid, for that to be soon. */
const SOON = 10;

/** What it is reckoned from. */
export interface ShareOptions {
  readonly store: CountingStore;
  readonly random: Random;
  readonly surroundings: Surroundings;
  /** Region of this node. */
  readonly region: string;
  readonly intervalUs: number;
  /** Over which time demand is reckoned. */
  readonly horizonUs: number;
}

/** Reckons shares. */
export class Shares {
  readonly #options: ShareOptions;
  readonly #levelling: Levelling;
  readonly #standing: Standing = createStanding();
  readonly #presumed = createElsewhere(MAX_LIMITS);
  #part = 0;
  /** Part of those of which the news is older than that of the others. */
  #partLate = 0;
  #partSilent = 0;
  #isAlone = false;

  constructor(options: ShareOptions) {
    this.#options = options;
    this.#levelling = new Levelling(options);
  }

  /**
   * Reckons what a node may spend of a key from now on.
   * @param cost of the request that asks.
   * @param now steady clock, in microseconds.
   */
  reckon(key: CountedKey, policy: Policy, cost: number, now: number): void {
    const { store, intervalUs, surroundings } = this.#options;
    const standing = this.#standing;
    store.standing(policy, key, intervalUs, standing);
    this.divide(key, policy);
    const view = viewOf(policy, surroundings);
    const spent = key.granted - key.allowance;
    const lagUs = Math.max(view.lagUs, intervalUs / 2);
    const isChanged = this.#levelling.level(key, policy, now);
    if (this.#levelling.forgive(key, policy, standing.room, lagUs, now) || isChanged) {
      store.standing(policy, key, intervalUs, standing);
    }
    if (this.#partSilent > 0) this.#presume(key, policy, spent);
    else if (key.presumed > 0 || key.expectedRoom !== 0) this.#settle(key, policy);
    this.#age(key, policy, spent, lagUs);
    key.round = surroundings.round;
    let allowance = this.#allowanceOf(key, policy, cost, now);
    // Whoever comes first to a key that nobody else wants is admitted, however many nodes there are.
    if (this.#isAlone && key.unseenLate === 0) allowance = Math.max(allowance, cost);
    key.allowance = allowance;
    key.granted = allowance;
    key.accruedAt = now;
    key.unitsPerUs = (this.#part * (1 - this.#partSilent) * standing.gain) / intervalUs;
    key.holdsUntil = standing.windowsEndAt;
  }

  /** This node's part of the balance, less what others may have spent of it by now. */
  #allowanceOf(key: CountedKey, policy: Policy, cost: number, now: number): number {
    const { room, gain } = this.#standing;
    const part = this.#part;
    const unknown = (1 - part - this.#partLate) * key.unseen + this.#partLate * key.unseenLate;
    const balance = part * room - unknown;
    if (balance <= 0 && this.#partLate > 0 && gain > 0) {
      const limit = leastLimit(policy);
      // A bucket that is full here, and is not in truth, takes nothing up: what this node did not spend of what came
      // back to it stays its own.
      if (room + gain >= limit) {
        accrue(key, now);
        return Math.min(Math.max(key.allowance, 0), part * limit);
      }
    }
    return Math.max(balance, 0) + this.#options.random.next() * cost;
  }

  /** Adds what was spent to what others may not know yet, and takes from it what they must have answered by now. */
  #age(key: CountedKey, policy: Policy, spent: number, lagUs: number): void {
    const { surroundings, intervalUs } = this.#options;
    const view = viewOf(policy, surroundings);
    const { near } = surroundings;
    // What a bucket admits too much it takes back as debt. A window does not, and has time until it ends; nor does a
    // bucket soon that takes long to fill.
    const isRepaidSoon = this.#standing.gain > 0 && fillOf(policy) < SOON * lagUs;
    const memories = isRepaidSoon ? 1 : 2;
    const nearLagUs = Math.max(near.lagUs, intervalUs / 2);
    key.unseen = left(key.unseen + spent, near.freshUntil - key.knownUntil, memories * nearLagUs);
    key.knownUntil = near.freshUntil;
    // Of those that are not heard from at the moment nothing new is known, however much time passes.
    const lateUntil = policy.partition === "share" ? view.freshUntil : view.certainAt;
    const lateLagUs = Math.max(lateLagOf(view, near), lagUs);
    key.unseenLate = left(
      key.unseenLate + spent,
      lateUntil - key.lateKnownUntil,
      memories * lateLagUs,
    );
    key.lateKnownUntil = lateUntil;
  }

  /**
   * Finds this node's part of what all want that are heard from, and the part of those that are not. To be called once
   * others fall silent: their part is what it was then.
   */
  divide(key: CountedKey, policy: Policy): void {
    const { surroundings, region, horizonUs, intervalUs } = this.#options;
    const keeps = policy.partition === "share";
    let near = 0;
    let late = 0;
    let silent = 0;
    for (const register of key.registers) {
      const origin = register.origin as Origin;
      if (origin.isOver || (policy.isRegional && origin.region !== region)) continue;
      const demand = demandOf(register.demand, (origin.asOf - register.touchedAt) / horizonUs);
      if (keeps ? origin.isStale : origin.isAway) silent += demand;
      else if (origin.isStale || origin.region !== region) late += demand;
      else near += demand;
    }
    const others = near + late;
    const own = Math.max(key.demand, 1_000_000 / horizonUs);
    const view = viewOf(policy, surroundings);
    const { nodes, reachable, fresh, certainAt, allCertainAt, staleSince } = view;
    this.#part = own / (own + others);
    this.#partLate = late / (own + others);
    this.#partSilent = 0;
    this.#isAlone = others === 0 && (silent === 0 || !keeps);
    // No news is no sign that nobody wants it, until the news is younger than the demand: by a round, so that it tells
    // what was spent in the first.
    const isCertain =
      surroundings.hasJoined && key.wantedSince + intervalUs < (keeps ? allCertainAt : certainAt);
    if (!isCertain) {
      const there = keeps ? fresh : reachable;
      this.#part = Math.min(this.#part, 1 / there);
      this.#partLate = Math.max(there - surroundings.near.fresh, 0) / there;
    }
    if (!keeps || fresh === nodes) {
      key.silentSince = 0;
      return;
    }
    // Each side keeps to the part that it had, however demand changes while they cannot tell each other.
    if (key.silentSince !== staleSince) {
      // What there was when they were heard of last: with what this side has spent since.
      const spent = key.granted - key.allowance;
      if (key.silentSince === 0) key.expectedRoom = spent - (key.unseenLate + spent) / this.#part;
      // Either side measures the other's part a little otherwise; what is in doubt is left to the other.
      const doubt = Math.sqrt(silent / (horizonUs / 1_000_000)) / 2;
      const known = Math.min((silent + doubt) / (own + others + silent), 1);
      const before = key.partSilent;
      key.partSilent = isCertain ? known : Math.max(known, (nodes - fresh) / nodes);
      // They do not fall silent all at once: those that do later had a part of what there was as well.
      const more = key.silentSince === 0 ? 0 : Math.max(key.partSilent - before, 0);
      key.presumedRest += more * Math.min(key.shared, leastLimit(policy));
      key.silentSince = staleSince;
    }
    this.#partSilent = key.partSilent;
  }

  /** Has nodes that are not heard from have spent their part of what came back. */
  #presume(key: CountedKey, policy: Policy, spent: number): void {
    const { store, intervalUs } = this.#options;
    const standing = this.#standing;
    key.expectedRoom -= spent;
    const gained = Math.max(standing.room - key.expectedRoom, 0);
    key.shared += gained;
    key.presumedRest += this.#partSilent * gained;
    const units = Math.floor(key.presumedRest);
    if (units > 0) {
      this.#presumed.present.fill(units);
      store.count(policy, key, this.#presumed);
      store.standing(policy, key, intervalUs, standing);
      key.presumed += units;
      key.presumedRest -= units;
    }
    key.expectedRoom = standing.room;
  }

  /** All have told by now what they spent: what was presumed beyond that is there. */
  #settle(key: CountedKey, policy: Policy): void {
    const { store, intervalUs } = this.#options;
    if (key.presumed > 0) {
      policy.limits.forEach((limit, index) => {
        // Of a window beside another limit it is not known whether it was this one or one before.
        const isOld = isWindow(limit) && policy.limits.length > 1;
        this.#presumed.present[index] = isOld ? 0 : -key.presumed;
      });
      store.count(policy, key, this.#presumed);
      store.standing(policy, key, intervalUs, this.#standing);
    }
    key.presumed = 0;
    key.presumedRest = 0;
    key.shared = 0;
    key.expectedRoom = 0;
  }
}

/** Adds what has come back of a key's part since it was reckoned. */
export function accrue(key: CountedKey, now: number): void {
  const units = key.unitsPerUs * (now - key.accruedAt);
  if (!(units > 0)) return;
  key.allowance += units;
  key.granted += units;
  key.accruedAt = now;
}

/** How long until a key's part may cover a cost, in microseconds: it is reckoned anew with the next round. */
export function waitFor(
  key: CountedKey,
  cost: number,
  now: number,
  { nextRoundAt }: Surroundings,
): number {
  const untilNext = Math.max(nextRoundAt - now, 1_000);
  const accrued = (cost - key.allowance) / key.unitsPerUs;
  return accrued > 0 && accrued < untilNext ? Math.ceil(accrued) : untilNext;
}

/** The nodes that a policy's limits are shared with. */
function viewOf(policy: Policy, surroundings: Surroundings): View {
  return policy.isRegional ? surroundings.near : surroundings;
}

function leastLimit({ limits }: Policy): number {
  return limits.reduce((least, { limit }) => Math.min(least, limit), Number.POSITIVE_INFINITY);
}

/** Returns how long the slowest limit of a policy takes to be as if unused, in microseconds. */
function fillOf({ limits }: Policy): number {
  return limits.reduce((longest, { windowUs }) => Math.max(longest, windowUs), 0);
}

/** What is left of units of which the others may not know, once news is younger by a while. */
function left(units: number, passedUs: number, memoryUs: number): number {
  // Where nobody else is there, nothing is unknown.
  const remain = units * Math.exp(-Math.max(passedUs, 0) / memoryUs);
  return remain > 0.01 ? remain : 0;
}

/** Mean age of what is known of those that are heard from and are not near, in microseconds; 0 where there are none. */
function lateLagOf(view: View, near: View): number {
  const count = view.reachable - near.reachable;
  if (count <= 0) return 0;
  return (view.lagUs * (view.reachable - 1) - near.lagUs * (near.reachable - 1)) / count;
}
