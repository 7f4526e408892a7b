/** How fast what was asked for is forgotten, in seconds. */
const MEMORY_S = 0.5;

/** How fast units of one key are asked for on this node. */
export class Demand {
  /** Units asked for since the rate was read last. */
  asked = 0;
  #perSecond = 0;
  #readAt: number;
  #isIdle = true;

  constructor(now: number) {
    this.#readAt = now;
  }

  /** Returns units a second, by what was asked for lately. */
  rateAt(now: number): number {
    const seconds = Math.max(now - this.#readAt, 0) / 1e6;
    const kept = Math.exp(-seconds / MEMORY_S);
    const weight = seconds > 0 ? (1 - kept) / seconds : 1 / MEMORY_S;
    this.#perSecond = this.#perSecond * kept + this.asked * weight;
    this.#readAt = now;
    if (this.asked > 0) this.#isIdle = false;
    this.asked = 0;
    return this.#perSecond;
  }

  /** Whether nothing was asked for since that was asked last. */
  takeIdle(now: number): boolean {
    if (this.asked > 0) this.rateAt(now);
    const isIdle = this.#isIdle;
    this.#isIdle = true;
    return isIdle;
  }
}
