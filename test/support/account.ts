// Asks a fleet for what a ledger keeps account of, and holds Redis against the ledger.

import assert from "node:assert/strict";
import type { Fleet } from "./fleet.ts";
import type { Entry, Ledger } from "./ledger.ts";
import { checkEntries, type RedisReader, unitsInRedis } from "./units-in-redis.ts";

/** Asks for entries that are taken as one, and returns the answer, which the ledger has found to be possible. */
export async function askFor<Answer extends { readonly allowed: boolean }>(
  ledger: Ledger,
  entries: readonly Entry[],
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const taking = ledger.take(entries);
  let answer: Answer;
  try {
    answer = await ask();
  } catch (error) {
    taking.unanswered();
    throw error;
  }
  if (answer.allowed) taking.admitted();
  else taking.denied();
  return answer;
}

/** Reads how many units Redis says are in use of an account in the middle of a race; throws where that cannot be. */
export async function readAccount(
  ledger: Ledger,
  client: RedisReader,
  { policy, key }: Pick<Entry, "policy" | "key">,
): Promise<number> {
  const seen = ledger.look({ policy, key });
  const units = await unitsInRedis(client, policy, key);
  seen(units);
  return units;
}

/**
 * Holds all accounts against what Redis holds and what `peek` says, once nothing is under way any more. Returns how
 * many units were in use in all, and how many accounts are known to the unit.
 */
export async function checkAccounts(
  ledger: Ledger,
  fleet: Fleet,
  client: RedisReader,
): Promise<{ units: number; exact: number }> {
  let sum = 0;
  let exact = 0;
  for (const { policy, key, limit, low, high } of ledger.accounts) {
    const units = await unitsInRedis(client, policy, key);
    const said = `${policy}:${key} has ${units} in use, where the answers add up to ${low} to ${high}`;
    assert.ok(low <= units && units <= high, said);
    const { remaining } = await fleet.call(0, "peek", { policy, key });
    assert.equal(remaining, Math.max(limit - units, 0), `peek of ${policy}:${key}`);
    await checkEntries(client, policy, key);
    sum += units;
    if (low === high) exact += 1;
  }
  return { units: sum, exact };
}
