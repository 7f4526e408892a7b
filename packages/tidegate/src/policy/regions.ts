// The part of the limits that a region has, where they are split by fixed weights.

import type { Limit } from "../algorithms/dispatch.ts";
import { isLimit, made } from "./limits.ts";
import { checkOptions, optionError, positiveInteger } from "./options.ts";
import type { PolicyOptions } from "./policy.ts";
import { partOfLimit } from "./share.ts";

const MAX_WEIGHT = 1_000;

/**
 * Returns a policy's options with a region's part of its limits, those of its overrides among them.
 * @throws TidegateError INVALID_OPTION naming the option, where the region has no weight.
 */
export function ofRegion(name: string, options: PolicyOptions, region: string): PolicyOptions {
  const { regions } = options;
  if (regions === undefined) return options;
  const field = `policies.${name}.regions`;
  if (typeof regions !== "object" || regions === null || Array.isArray(regions)) {
    throw optionError(field, "an object with a weight for each region", regions);
  }
  checkOptions(field, regions, Object.keys(regions));
  let whole = 0;
  for (const [one, weight] of Object.entries(regions)) {
    whole += positiveInteger(`${field}.${one}`, weight, MAX_WEIGHT);
  }
  const weight = Object.hasOwn(regions, region) ? regions[region] : undefined;
  if (weight === undefined) {
    const expected = `an object with a weight for this node's region too, "${region}"`;
    throw optionError(field, expected, regions);
  }
  // What is no limit is left as it is, and refused for that.
  const part = (limits: readonly Limit[]) => {
    return limits.map((one) => (isLimit(one) ? made(partOfLimit(one, weight, whole)) : one));
  };
  return {
    ...options,
    ...(Array.isArray(options.limits) ? { limits: part(options.limits) } : {}),
    ...(Array.isArray(options.overrides)
      ? {
          overrides: options.overrides.map((override) => {
            return Array.isArray(override?.limits)
              ? { ...override, limits: part(override.limits) }
              : override;
          }),
        }
      : {}),
  };
}
