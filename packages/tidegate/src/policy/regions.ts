// The part of the limits that a region has, where they are split by fixed weights.

import { checkOptions, optionError, positiveInteger } from "./options.ts";

const MAX_WEIGHT = 1_000;

/** A part of a whole. */
export interface Weight {
  readonly weight: number;
  readonly whole: number;
}

/**
 * Returns the weight of a region among all; undefined where limits are not split.
 * @throws TidegateError INVALID_OPTION naming the option, where the region has none.
 */
export function checkRegions(field: string, regions: unknown, region: string): Weight | undefined {
  if (regions === undefined) return undefined;
  if (typeof regions !== "object" || regions === null || Array.isArray(regions)) {
    throw optionError(field, "an object with a weight for each region", regions);
  }
  checkOptions(field, regions, Object.keys(regions));
  let whole = 0;
  let weight: number | undefined;
  for (const [name, value] of Object.entries(regions)) {
    const checked = positiveInteger(`${field}.${name}`, value, MAX_WEIGHT);
    whole += checked;
    if (name === region) weight = checked;
  }
  if (weight !== undefined) return { weight, whole };
  const expected = `an object with a weight for the limiter's region too, "${region}"`;
  throw optionError(field, expected, regions);
}
