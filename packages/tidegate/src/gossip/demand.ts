// Demand on the wire: units asked for per second, as a logarithm in one byte, to within 6 %: from a thousandth to six
// billion.

const STEPS = 6;
const LEAST = 1_000;

/** Codes a demand: 0 is none at all. */
export function codeDemand(unitsPerSecond: number): number {
  if (unitsPerSecond <= 0) return 0;
  const code = Math.round(STEPS * Math.log2(1 + unitsPerSecond * LEAST));
  return Math.min(Math.max(code, 1), 255);
}

const DEMANDS = Float64Array.from({ length: 256 }, (_, code) => (2 ** (code / STEPS) - 1) / LEAST);

/** Returns the demand that a code stands for, in units per second. */
export function demandOf(code: number): number {
  return DEMANDS[code]!;
}
