// Writes a policy of plain limits into the arguments of a script call.

import type { Limit } from "../../algorithms/dispatch.ts";
import type { Policy } from "../../policy/policy.ts";

/**
 * Adds a policy to ARGV, as decide.lua documents it, but what is asked of its keys.
 * @param nowUs about what Redis' clock says, for calendar windows.
 */
export function pushPolicy(args: string[], policy: Policy, keyCount: number, nowUs: number): void {
  args.push(policy.rules, String(policy.limits.length), String(keyCount));
  for (const limit of policy.limits) args.push(String(limit.limit), ...numbersOf(limit, nowUs));
}

/** The second and third text of a limit in ARGV. */
function numbersOf(limit: Limit, nowUs: number): [string, string] {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return [String(limit.periodUs), String(limit.units)];
    case "fixed-window":
      return [String(limit.windowUs), "0"];
    case "sliding-window":
      return [String(limit.windowUs), "-1"];
    case "calendar-window":
      return [limit.calendar.boundariesAround(nowUs).join(","), "-2"];
    default:
      throw new Error(`${limit.algorithm} is no plain limit`);
  }
}
