// A histogram in one typed array: observing writes two numbers and allocates nothing, where a metrics library builds
// and hashes an object of labels each time.

/** Counts values by upper bounds; what is above the last bound is counted in one more bucket. */
export class PlainHistogram {
  readonly bounds: readonly number[];
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds ascending; a value equal to a bound lies under it. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value > bounds[middle]!) low = middle + 1;
      else high = middle;
    }
    this.#counts[low] = this.#counts[low]! + 1;
    this.#sum += value;
  }

  /** Returns, for each bound and then for +Inf, how many values were not above it. */
  cumulative(): number[] {
    let total = 0;
    return Array.from(this.#counts, (count) => {
      total += count;
      return total;
    });
  }

  get sum(): number {
    return this.#sum;
  }
}
