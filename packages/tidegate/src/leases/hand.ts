// The units of one key that a node may spend from memory: of two leases at most, so that the next can be had before the
// last is spent; and those that it may not spend any more, until they are given back.

import type { LeaseBack } from "../ports/store.ts";
import { isAlive, isOwn, SPENT, type Tranche } from "./tranche.ts";

/** What most hands have: nothing to be given back, and nothing lost. */
const NO_UNITS: readonly number[] = [];
const NO_TRANCHES: readonly Tranche[] = [];
const NO_BACKS: readonly LeaseBack[] = [];

/** Units in hand. */
export class Hand {
  /** Units left at which the next lease is to be asked for. */
  low = 0;
  /** The older, which is spent first, and the newer. */
  #first: Tranche = SPENT;
  #second: Tranche = SPENT;
  /** To be given back. */
  #away = NO_TRANCHES;
  /** Units of each that was neither spent nor given back, since that was last asked. */
  #lost = NO_UNITS;

  /** How many there are. */
  unitsAt(now: number): number {
    const first = isAlive(this.#first, now) ? this.#first.units : 0;
    return first + (isAlive(this.#second, now) ? this.#second.units : 0);
  }

  /** Whether few are left, or not for long, and no more have been asked for. */
  isLow(now: number): boolean {
    const { units, from, renewUs } = this.#first;
    return (units <= this.low || now - from >= renewUs) && this.#second.units === 0;
  }

  /** Spends a cost, if that much is there. */
  spend(cost: number, now: number): boolean {
    const first = this.#first;
    if (cost <= first.units && isAlive(first, now)) {
      first.units -= cost;
      return true;
    }
    return this.#spendBoth(cost, now);
  }

  #spendBoth(cost: number, now: number): boolean {
    this.expire(now);
    const first = this.#first;
    const second = this.#second;
    if (cost > first.units + second.units) return false;
    const ofFirst = Math.min(cost, first.units);
    // What is spent is a frozen one where there was none.
    if (ofFirst > 0) first.units -= ofFirst;
    if (cost > ofFirst) second.units -= cost - ofFirst;
    this.#moveUp();
    return true;
  }

  /** Adds what was granted. */
  add(tranche: Tranche): void {
    this.#moveUp();
    // Who asks gives the older of two back.
    if (this.#second.units > 0) this.#putAside(this.#second);
    if (this.#first.units === 0) this.#first = tranche;
    else this.#second = tranche;
  }

  /** Puts away what may not be spent any more. */
  expire(now: number): void {
    if (!isAlive(this.#second, now)) this.#putAwaySecond();
    if (!isAlive(this.#first, now)) this.#putAwayFirst();
    this.#moveUp();
  }

  /** Puts the older of two away, so that there is room for one more. */
  makeRoom(): void {
    if (this.#second.units > 0) this.#putAwayFirst();
    this.#moveUp();
  }

  /** Puts all away. */
  putAway(): void {
    this.#putAwaySecond();
    this.#putAwayFirst();
  }

  /** Forgets all: it is not there any more, or cannot be given back. */
  forfeit(): void {
    this.putAway();
    this.#lost = [...this.#lost, ...this.#away.map(({ units }) => units)];
    this.#away = NO_TRANCHES;
  }

  /** Whether there is something that is worth giving back. */
  hasBacks(now: number): boolean {
    if (this.#away.length === 0) return false;
    const gone = this.#away.filter((tranche) => !isOwn(tranche, now));
    if (gone.length === 0) return true;
    this.#lost = [...this.#lost, ...gone.map(({ units }) => units)];
    this.#away = this.#away.filter((tranche) => isOwn(tranche, now));
    return this.#away.length > 0;
  }

  /** Takes what is to be given back. */
  takeBacks(now: number): readonly LeaseBack[] {
    if (!this.hasBacks(now)) return NO_BACKS;
    const backs = this.#away.map(({ units, back }) => ({ units, ...back }));
    this.#away = NO_TRANCHES;
    return backs;
  }

  /** Takes note of what was neither spent nor given back since the last time. */
  takeLost(): readonly number[] {
    const lost = this.#lost;
    this.#lost = NO_UNITS;
    return lost;
  }

  #moveUp(): void {
    if (this.#first.units > 0) return;
    this.#first = this.#second;
    this.#second = SPENT;
  }

  #putAwayFirst(): void {
    if (this.#first.units > 0) this.#putAside(this.#first);
    this.#first = SPENT;
  }

  #putAwaySecond(): void {
    if (this.#second.units > 0) this.#putAside(this.#second);
    this.#second = SPENT;
  }

  #putAside(tranche: Tranche): void {
    this.#away = [...this.#away, tranche];
  }
}
