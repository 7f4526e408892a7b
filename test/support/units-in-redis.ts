// Reads how many units of a policy key are in use from what Redis itself holds, byte by byte, and not by what decides:
// for tests that hold sums of answers against it.

import assert from "node:assert/strict";
import type { Cluster, Redis } from "ioredis";

/** A client of the test's own. */
export type RedisReader = Redis | Cluster;

/**
 * Returns the units in use. All limits of a policy take alike, so they hold the same. Of buckets, whose units return
 * with time, those whose return has begun count in full.
 */
export async function unitsInRedis(
  client: RedisReader,
  policy: string,
  key: string,
): Promise<number> {
  const value = await client.getBuffer(nameOf(policy, key));
  if (value === null) return 0;
  const atMs = await nowMs(client);
  const units = new Set(limitsIn(value).map((limit) => unitsOf(limit, atMs * 1_000)));
  assert.equal(units.size, 1, `the limits of ${policy}:${key} hold ${[...units].join(" and ")}`);
  return [...units][0]!;
}

/** Checks that the entries of a key's logs and permits, if it has any, hold what their counts say. */
export async function checkEntries(
  client: RedisReader,
  policy: string,
  key: string,
): Promise<void> {
  const name = nameOf(policy, key);
  const value = await client.getBuffer(name);
  for (const [index, { rule, numbers }] of limitsIn(value ?? Buffer.of()).entries()) {
    let there = 0;
    if (rule[0] === "sl") {
      const log = await client.lrangeBuffer(`${name}:${index + 1}`, 0, -1);
      for (const entry of log) there += entry.readDoubleLE(8);
    } else if (rule[0] === "cc") {
      const permits = await client.zrange(`${name}:${index + 1}`, "0", "-1");
      for (const permit of permits) there += Number.parseInt(String(permit), 10);
    } else {
      continue;
    }
    assert.equal(there, numbers[0], `units in the entries of ${policy}:${key}`);
  }
}

/** Reads Redis' clock, in milliseconds, which are no whole ones. */
export async function nowMs(client: RedisReader): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
}

function nameOf(policy: string, key: string): string {
  return `tidegate:v1:{${policy}:${key}}`;
}

interface StoredLimit {
  readonly rule: readonly string[];
  readonly numbers: readonly number[];
}

const WIDTHS: Readonly<Record<string, number>> = { tb: 2, fw: 2, sw: 3, sl: 3, cc: 4 };

function limitsIn(value: Buffer): StoredLimit[] {
  const end = value.indexOf("|");
  if (end === -1) return [];
  let at = end + 1;
  return value
    .toString("latin1", 0, end)
    .split(";")
    .map((text) => {
      const rule = text.split(",");
      const numbers = Array.from({ length: WIDTHS[rule[0]!]! }, (_, index) => {
        return value.readDoubleLE(at + 8 * index);
      });
      at += 8 * numbers.length;
      return { rule, numbers };
    });
}

function unitsOf({ rule: [kind, period, units], numbers }: StoredLimit, nowUs: number): number {
  if (kind === "fw" || kind === "sw") return numbers[1]!;
  if (kind === "sl" || kind === "cc") return numbers[0]!;
  return Math.max(Math.ceil((numbers[0]! - nowUs) / (Number(period) / Number(units))), 0);
}
