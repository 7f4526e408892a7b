// The script of version 0.1.0, as it was (of commit 9125d38), and what it takes to call it: for tests of deploys that
// roll forward and back over one Redis.

import { readFileSync } from "node:fs";
import type { Limit } from "tidegate";
import type { Policy } from "../../packages/tidegate/src/policy/policy.ts";
import { createScript } from "../../packages/tidegate/src/stores/redis/script.ts";
import { onManualClock, setRedisClock } from "./manual-redis.ts";
import type { RedisServer } from "./redis-server.ts";

const DIRECTORY = new URL("../fixtures/0.1.0/", import.meta.url);

/** The script, on the real clock of Redis and on one that a test sets. */
const text = readFileSync(new URL("decide.lua", DIRECTORY), "utf8");
const scripts = { real: createScript(text), manual: onManualClock(text) };

/** Calls the script for checks of one key, "1,5,?2" where ? only looks, at an instant, or at Redis' own time. */
export async function decideAs010(
  server: RedisServer,
  { rules, limits }: Policy,
  name: string,
  costs: string,
  nowUs?: number,
): Promise<number[]> {
  if (nowUs !== undefined) await setRedisClock(server, nowUs);
  const script = nowUs === undefined ? scripts.real : scripts.manual;
  const numbers = limits.flatMap((limit) => [String(limit.limit), ...numbersOf(limit)]);
  const args = ["1", rules, String(limits.length), "1", ...numbers, costs];
  return (await server.client.eval(script.text, 1, name, ...args)) as number[];
}

function numbersOf(limit: Limit): string[] {
  if (limit.algorithm === "token-bucket") return [String(limit.periodUs), String(limit.units)];
  if (limit.algorithm === "fixed-window") return [String(limit.windowUs), "0"];
  throw new Error(`0.1.0 has no ${limit.algorithm}`);
}

/** A value that the script wrote, at an instant by Redis' clock, after checks of one key. */
export interface Recorded {
  readonly name: string;
  /** Under the names of configuration. */
  readonly limits: readonly (
    | { capacity: number; refill: string }
    | { limit: number; window: string }
  )[];
  readonly costs: string;
  readonly nowUs: number;
  readonly hex: string;
}

/** Reads the values that were recorded on a real Redis. */
export function readRecorded(): readonly Recorded[] {
  return JSON.parse(readFileSync(new URL("values.json", DIRECTORY), "utf8"));
}
