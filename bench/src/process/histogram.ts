// Counts durations without allocating, so that what counts does not slow what is counted: buckets of a 32nd of a power
// of two, from a nanosecond to four seconds.

const STEPS_LOG2 = 5;
const STEPS = 2 ** STEPS_LOG2;
const LARGEST_NS = 2 ** 32 - 1;
const BUCKETS = bucketOf(LARGEST_NS) + 1;

/** Durations, counted in buckets that are a 32nd of their value wide or less. */
export class Histogram {
  /** How many durations each bucket has; what one process hands to another. */
  readonly counts: Uint32Array<ArrayBuffer>;

  constructor(counts = new Uint32Array(BUCKETS)) {
    this.counts = counts;
  }

  /** Counts a duration in milliseconds; below 0 counts as 0, beyond four seconds as four. */
  add(durationMs: number): void {
    const ns = Math.min(Math.max(Math.round(durationMs * 1e6), 0), LARGEST_NS);
    this.counts[bucketOf(ns)]! += 1;
  }

  /** Counts what another one has counted. */
  merge(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      this.counts[bucket]! += other.counts[bucket]!;
    }
  }

  /** Returns the milliseconds below which `share` (0 to 1) of the durations lie: the upper end of that bucket. */
  percentile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) throw new Error("a percentile of no durations");
    const rank = Math.max(Math.ceil(share * total), 1);
    let seen = 0;
    let bucket = -1;
    while (seen < rank) {
      bucket += 1;
      seen += this.counts[bucket]!;
    }
    return upperEndOf(bucket) / 1e6;
  }
}

function bucketOf(ns: number): number {
  if (ns < STEPS) return ns;
  const shift = 31 - Math.clz32(ns) - STEPS_LOG2;
  return (shift << STEPS_LOG2) + (ns >>> shift);
}

/** The first nanosecond of the next bucket. */
function upperEndOf(bucket: number): number {
  if (bucket < STEPS) return bucket + 1;
  const shift = (bucket >> STEPS_LOG2) - 1;
  return (bucket - (shift << STEPS_LOG2) + 1) * 2 ** shift;
}
