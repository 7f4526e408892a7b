// Reads from a Redis what it did and what it holds.

import type { Redis } from "ioredis";

/** Number of commands that were carried out so far, those of scripts among them, and without the asking itself. */
export async function commandCalls(client: Redis): Promise<number> {
  const stats = await client.info("commandstats");
  let calls = 0;
  for (const [, name, count] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (name !== "info") calls += Number(count);
  }
  return calls;
}

/** Bytes of all keys with a prefix, as Redis says them: names, values, and what it takes to keep them. */
export async function bytesOf(client: Redis, prefix: string): Promise<number> {
  let bytes = 0;
  let cursor = "0";
  do {
    const [next, names] = await client.scan(cursor, "MATCH", `${prefix}:*`, "COUNT", 1_000);
    cursor = next;
    const usages = await Promise.all(names.map((key) => client.memory("USAGE", key, "SAMPLES", 0)));
    for (const usage of usages) bytes += Number(usage);
  } while (cursor !== "0");
  return bytes;
}
