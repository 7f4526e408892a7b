// Says what a configuration serves, for the banner and for `config check`.

import type { PolicyOptions } from "tidegate";
import { redactRedisUrl } from "tidegate/redis";
import type { Configuration } from "../configuration.ts";
import { sayLimit, sayNumber, sayPercent } from "./words.ts";

const MAX_POLICIES = 12;

/** Says where counts are kept; shows no password. */
export function sayStore(store: string): string {
  return store === "memory"
    ? "memory (this process alone; gone when it ends)"
    : redactRedisUrl(store);
}

/**
 * Says each policy on a line of its own: "api    100 at once, refilled at 10/s; 1,000 per 1m (default, 2 overrides)".
 */
export function sayPolicies(configuration: Configuration): string[] {
  const { defaultPolicy } = configuration;
  const policies = Object.entries(configuration.policies);
  const shown = policies.slice(0, MAX_POLICIES);
  const width = Math.max(...shown.map(([name]) => name.length));
  const lines = shown.map(([name, policy]) => {
    const own = sayOwn(policy, name === defaultPolicy);
    return `${name.padEnd(width)}  ${policy.limits.map(sayLimit).join("; ")}${own}`;
  });
  const more = policies.length - shown.length;
  return more === 0 ? lines : [...lines, `and ${more} more`];
}

function sayOwn(policy: PolicyOptions, isDefault: boolean): string {
  const { coordination, maxOvershoot = 0, shadow = false, overrides = [] } = policy;
  const count = overrides.length;
  const words = [
    ...(isDefault ? ["default"] : []),
    ...(coordination === undefined ? [] : [coordination]),
    ...(maxOvershoot > 0 ? [`up to ${sayPercent(maxOvershoot)} over`] : []),
    ...(shadow ? ["shadow: never denies"] : []),
    ...(count === 0 ? [] : [`${sayNumber(count)} override${count === 1 ? "" : "s"}`]),
  ];
  return words.length === 0 ? "" : ` (${words.join(", ")})`;
}

/** Writes labelled lines in two columns; a label with several lines is written once. */
export function writeTable(rows: readonly (readonly [string, readonly string[]])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows
    .flatMap(([label, lines]) => {
      return lines.map((line, index) => `  ${(index === 0 ? label : "").padEnd(width)}  ${line}\n`);
    })
    .join("");
}
