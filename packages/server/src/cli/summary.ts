// Says what a configuration serves, for the banner and for `config check`.

import type { PolicyOptions } from "tidegate";
import { redactRedisUrl } from "tidegate/redis";
import type { Configuration } from "../configuration.ts";
import { sayLimit, sayNumber, sayPercent } from "./words.ts";

const MAX_POLICIES = 12;
const MAX_MEMBERS = 5;

/** Says where counts are kept; shows no password. */
export function sayStore({ store, gossip }: Configuration): string {
  if (store !== "memory") return redactRedisUrl(store);
  return gossip === undefined
    ? "memory (this process alone; gone when it ends)"
    : "memory (each node's own; nodes tell each other what they count)";
}

/** Says how nodes that gossip find and reach each other, and where this one stands, as rows of a table. */
export function sayPeers(
  { gossip, region }: Configuration,
  port: number | undefined = gossip?.peers.port,
): (readonly [string, readonly string[]])[] {
  const stands = region === undefined ? [] : [["Region", [region]] as const];
  if (gossip === undefined) return stands;
  const { transport, host, members, dns, redis, secret, tls } = gossip.peers;
  const trust = [
    ...(tls === undefined ? [] : ["mutual TLS"]),
    ...(secret === undefined ? [] : ["signed"]),
  ];
  const others =
    members === undefined
      ? dns === undefined
        ? `those that ${redactRedisUrl(redis!)} knows`
        : `those of ${dns}, by DNS`
      : sayMembers(members);
  const own =
    transport === "redis"
      ? `through ${redactRedisUrl(redis!)}`
      : `${host.includes(":") ? `[${host}]` : host}:${port}, gRPC`;
  return [["Peers", [`${own}, ${trust.join(" and ")}`, others]], ...stands];
}

function sayMembers(members: readonly string[]): string {
  const shown = members.slice(0, MAX_MEMBERS).join(", ");
  return members.length > MAX_MEMBERS ? `${shown} and ${members.length - MAX_MEMBERS} more` : shown;
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
