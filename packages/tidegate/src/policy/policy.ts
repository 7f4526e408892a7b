// A policy, checked: the named rule that every store and coordination decides by.

import type { Limit } from "../algorithms/decide.ts";
import { TidegateError } from "../errors.ts";
import { checkName, isLimit } from "./limits.ts";
import { checkOptions, optionError } from "./options.ts";

/** How nodes share a count: each alone in its memory, or all through one store that decides. */
export type CoordinationName = "local" | "central";

/** The coordinations that exist, for checks and messages. */
export const COORDINATIONS: readonly CoordinationName[] = ["local", "central"];

/** A policy as an application writes it. */
export interface PolicyOptions {
  /** One to eight limits; a request is admitted where all of them admit it. */
  readonly limits: readonly Limit[];
  /** Overrides the limiter's coordination for this policy. */
  readonly coordination?: CoordinationName;
}

/** A checked policy. `limitNames[i]` names `limits[i]`. */
export interface Policy {
  readonly name: string;
  readonly limits: readonly Limit[];
  readonly limitNames: readonly string[];
  /** The same for two policies exactly where they decide and answer the same. */
  readonly identity: string;
  /** Names what the stored states mean: states written under the same `rules` need no conversion. */
  readonly rules: string;
}

/** The most limits of one policy. */
export const MAX_LIMITS = 8;

/**
 * Checks a policy.
 * @throws TidegateError INVALID_OPTION naming the option by its path, e.g. "policies.api.limits[0]".
 */
export function createPolicy(name: string, options: PolicyOptions): Policy {
  checkName("the name of a policy", name);
  const path = `policies.${name}`;
  checkOptions(path, options, ["limits", "coordination"]);
  const limits: unknown = options.limits;
  if (!Array.isArray(limits) || limits.length < 1 || limits.length > MAX_LIMITS) {
    throw optionError(`${path}.limits`, `a list of 1 to ${MAX_LIMITS} limits`, limits);
  }
  for (const [index, limit] of limits.entries()) {
    if (!isLimit(limit)) {
      throw optionError(
        `${path}.limits[${index}]`,
        "a limit made by tokenBucket() or fixedWindow()",
        limit,
      );
    }
  }
  const limitNames = options.limits.map((limit, index) => {
    return limit.name ?? (options.limits.length === 1 ? name : `${name}-${index + 1}`);
  });
  const twice = limitNames.find((limitName, index) => limitNames.indexOf(limitName) !== index);
  if (twice !== undefined) {
    throw new TidegateError(
      "INVALID_OPTION",
      `${path}.limits must have names that differ, got "${twice}" twice`,
      { field: `${path}.limits` },
    );
  }
  const rules = options.limits.map(ruleOf).join(";");
  const capacities = options.limits.map(({ limit }) => limit).join(",");
  const identity = [name, rules, capacities, ...limitNames].join("|");
  return Object.freeze({
    name,
    limits: Object.freeze([...options.limits]),
    limitNames,
    rules,
    identity,
  });
}

/** Names what a limit's state means. The capacity or count is left out: a state means the same under another. */
function ruleOf(limit: Limit): string {
  return limit.algorithm === "token-bucket"
    ? `tb,${limit.periodUs},${limit.units}`
    : `fw,${limit.windowUs}`;
}
