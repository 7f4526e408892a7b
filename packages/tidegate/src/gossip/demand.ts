// Demand on the wire: units asked for per second, as a logarithm in one byte, to within 6 %: from a thousandth to six
// billion.

const STEPS = 6;
const LEAST = 1_000;
/** Where nobody asks for so many horizons, there is no demand. */
export const IDLE_HORIZONS = 2;
/** A round and a third, which is a third of a horizon at most. */
const UNTIL_NEXT = 1 / 3;

/** Codes a demand: 0 is none at all. */
export function codeDemand(unitsPerSecond: number): number {
  if (unitsPerSecond <= 0) return 0;
  const code = Math.round(STEPS * Math.log2(1 + unitsPerSecond * LEAST));
  return Math.min(Math.max(code, 1), 255);
}

const DEMANDS = Float64Array.from({ length: 256 }, (_, code) => (2 ** (code / STEPS) - 1) / LEAST);

/**
 * Returns the demand that a code stands for, in units per second, some time after it was told: a node that says nothing
 * more is asked for nothing more, and its mean over a horizon fades as it does there. So that need not be told.
 * @param horizons time since then, in horizons. One that is asked says so in its next round, so long nothing fades.
 */
export function demandOf(code: number, horizons = 0): number {
  const fading = horizons - UNTIL_NEXT;
  if (fading > IDLE_HORIZONS) return 0;
  const faded = fading > 0 ? Math.round(fading * STEPS * Math.LOG2E) : 0;
  return faded < code ? DEMANDS[code - faded]! : 0;
}
