// Says what a configuration serves, for the banner and for `config check`.

import { redactRedisUrl } from "tidegate/redis";
import type { Configuration } from "../configuration.ts";
import { sayLimit } from "./words.ts";

const MAX_POLICIES = 12;

/** Says where counts are kept; shows no password. */
export function sayStore(store: string): string {
  return store === "memory"
    ? "memory (this process alone; gone when it ends)"
    : redactRedisUrl(store);
}

/** Says each policy on a line of its own: "api    100 at once, refilled at 10/s; 1,000 per 1m". */
export function sayPolicies(configuration: Configuration): string[] {
  const policies = Object.entries(configuration.policies);
  const shown = policies.slice(0, MAX_POLICIES);
  const width = Math.max(...shown.map(([name]) => name.length));
  const lines = shown.map(([name, { limits, coordination }]) => {
    const own = coordination === undefined ? "" : ` (${coordination})`;
    return `${name.padEnd(width)}  ${limits.map(sayLimit).join("; ")}${own}`;
  });
  const more = policies.length - shown.length;
  return more === 0 ? lines : [...lines, `and ${more} more`];
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
