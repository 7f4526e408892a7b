// When a node is asked for which key: requests that know nothing of each other (a Poisson process), the same for the
// same seed.

import { createSeededRandom } from "../../../test/support/seeded-random.ts";

/** Draws of a whole number, that a fraction is made of. */
const DRAWS = 2 ** 32;

/** What to ask for, in the order of time. */
export interface Schedule {
  /** Microseconds after the start. */
  readonly dueUs: Uint32Array;
  /** Places of the keys, from 0. */
  readonly keys: Uint16Array;
}

/** How a schedule is drawn. */
export interface ScheduleOptions {
  readonly seed: number;
  readonly perSecond: number;
  readonly durationMs: number;
  /** At most 65,536. */
  readonly keys: number;
  /** The k-th key is asked for as often as 1 / k to this power says: 0 for all alike. */
  readonly zipf: number;
}

/** Draws a schedule of exactly perSecond × durationMs requests within durationMs. */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { seed, perSecond, durationMs, keys, zipf } = options;
  const random = createSeededRandom(seed);
  const count = Math.round((perSecond * durationMs) / 1_000);
  const cumulative = new Float64Array(keys);
  let weight = 0;
  for (let place = 0; place < keys; place += 1) {
    weight += (place + 1) ** -zipf;
    cumulative[place] = weight;
  }
  // Given how many there are, the instants of a Poisson process are so many uniform ones.
  const dueUs = new Uint32Array(count).map(() => random.below(1_000 * durationMs)).sort();
  const places = new Uint16Array(count).map(() => {
    return firstAbove(cumulative, (weight * random.below(DRAWS)) / DRAWS);
  });
  return { dueUs, keys: places };
}

/** The place of the first number that is larger. */
function firstAbove(ascending: Float64Array, number: number): number {
  let from = 0;
  let to = ascending.length - 1;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle]! > number) to = middle;
    else from = middle + 1;
  }
  return from;
}
