/** Units of one key that a node has admitted and no lease covered, whatever limits its policy had meanwhile. */
export class Owed {
  /** Those that the store has not been told of. */
  untold = 0;
  /** Those that it is being told of. */
  #charging = 0;
  /** Resets of the key under way: they may have all of it forgotten, so the store is told of nothing meanwhile. */
  #resets = 0;

  /** All that the store has not confirmed. */
  get units(): number {
    return this.untold + this.#charging;
  }

  /** Takes what the store is to be told. */
  charge(): number {
    if (this.#resets > 0) return 0;
    const units = this.untold;
    this.untold = 0;
    this.#charging += units;
    return units;
  }

  /** Whether the key is being reset. */
  get isBeingReset(): boolean {
    return this.#resets > 0;
  }

  /** Hears that the key is about to be reset. */
  beginReset(): void {
    this.#resets += 1;
  }

  /** Hears how that ended. */
  endReset(isDone: boolean): void {
    this.#resets -= 1;
    if (isDone) this.untold = 0;
  }

  /** The store has been told of so many. */
  charged(units: number): void {
    this.#charging -= units;
  }

  /** Nobody knows whether it has: they are told again. */
  failed(units: number): void {
    this.#charging -= units;
    this.untold += units;
  }
}
