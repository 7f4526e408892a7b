// Draws of a seeded generator that are no whole numbers.

import type { SeededRandom } from "../support/seeded-random.ts";

/** A number from 0 (included) to 1 (excluded). */
export function chance(random: SeededRandom): number {
  return random.below(2 ** 30) / 2 ** 30;
}

/** A gap between two events of which `rate` come in a second, in microseconds: a Poisson process. */
export function gapUs(random: SeededRandom, rate: number): number {
  return (-Math.log(1 - chance(random)) * 1e6) / rate;
}

/** A number between two, as many of them small as large in ratio. */
export function ratioBetween(random: SeededRandom, from: number, to: number): number {
  return from * (to / from) ** chance(random);
}
