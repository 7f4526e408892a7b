// Counts how long decisions took, within 1 % and in little memory, however many they are.

const STEP = Math.log(1.01);

/** A histogram of microseconds. */
export class LatencyHistogram {
  readonly #counts: number[] = [];
  #total = 0;
  #maxUs = 0;

  add(latencyUs: number): void {
    const index = Math.round(Math.log1p(latencyUs) / STEP);
    while (this.#counts.length <= index) this.#counts.push(0);
    this.#counts[index]! += 1;
    this.#total += 1;
    if (latencyUs > this.#maxUs) this.#maxUs = latencyUs;
  }

  /** The latency that so much of all did not exceed, in milliseconds; 0 of none. */
  quantileMs(share: number): number {
    const rank = Math.ceil(share * this.#total);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      // The bounds are no whole microseconds; latencies are.
      if (seen >= rank && seen > 0) {
        return Math.min(Math.round(Math.expm1(index * STEP)), this.#maxUs) / 1_000;
      }
    }
    return 0;
  }

  get maxMs(): number {
    return this.#maxUs / 1_000;
  }
}
