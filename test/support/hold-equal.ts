// Runs random histories through the memory store and a real Redis, and holds every answer of one equal to the other's.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Decision, type Limit, memoryStore } from "tidegate";
import type { Policy } from "../../packages/tidegate/src/policy/policy.ts";
import type { Outcome, Part, Store, Work } from "../../packages/tidegate/src/ports/store.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { type History, historyArbitrary, type Step } from "./histories.ts";
import { openManualRedis, setRedisClock } from "./manual-redis.ts";
import type { RedisServer } from "./redis-server.ts";

/** What a step asks of a store, both alike. */
type Ask = (store: Store) => Promise<unknown>;

/** Runs histories of an algorithm, and returns how many answers were compared. */
export async function holdEqual(
  server: RedisServer,
  algorithm: Limit["algorithm"],
  parameters: fc.Parameters<[History]>,
): Promise<number> {
  const clock = createManualClock();
  const redis = openManualRedis(server, clock, "differential");
  let answers = 0;
  await fc.assert(
    fc.asyncProperty(historyArbitrary(algorithm), async (history) => {
      const memory = memoryStore({ clock, sweepSlots: 0 });
      taken.delete(redis);
      clock.setUs(START_US);
      await server.client.flushdb();
      for (const [index, step] of history.steps.entries()) {
        clock.setUs(clock.now() + step.gapUs);
        await setRedisClock(server, clock.now());
        const asks = asksOf(history, step, index);
        const actual = await Promise.all(asks.map((ask) => answerOf(ask, redis)));
        for (const [at, ask] of asks.entries()) {
          const expected = await answerOf(ask, memory);
          assert.deepEqual(actual[at], expected, `step ${index}, ${step.act}`);
          answers += 1;
        }
      }
    }),
    parameters,
  );
  return answers;
}

const START_US = Date.UTC(2026, 6, 1, 12, 34, 56, 789) * 1_000;

/** An answer without what the stores are to differ in. */
async function answerOf(ask: Ask, store: Store): Promise<unknown> {
  try {
    const answer = await ask(store);
    if (answer === undefined) return undefined;
    if (!("decision" in (answer as object))) return { ...(answer as Decision), source: undefined };
    const { decision, done, receipts, held } = answer as Outcome;
    return { ...decision, source: undefined, done, receipts, held };
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a step asks, all in one turn: it, and some that go out with it. */
function asksOf(history: History, step: Step, index: number): Ask[] {
  const policy = history.policies[step.policy]!;
  const asks = [askOf(policy, history, step)];
  // Now and then a burst: several checks of one key and another, in one script call.
  if (index % 4 === 0 && step.act !== "reset" && !policy.holds) {
    for (const { key, cost } of step.others) {
      asks.push(async (store) => store.decide(policy, key, cost, true));
      asks.push(async (store) => store.decide(history.other, key, cost, true));
    }
  }
  return asks;
}

function askOf(policy: Policy, history: History, step: Step): Ask {
  const { key, cost, id } = step;
  const part: Part = { policy, key, cost };
  const run =
    (work: Work): Ask =>
    async (store) =>
      store.run(work);
  switch (step.act) {
    case "check":
    case "peek":
      return async (store) => store.decide(policy, key, cost, step.act === "check");
    case "reset":
      return async (store) => store.reset(policy, key);
    case "refund":
      return run({
        kind: "give",
        part,
        takenAt: Number.POSITIVE_INFINITY,
        ...(id === 0 ? { record: { id: "g", ttlUs: policy.idTtlUs } } : {}),
      });
    case "named":
      return run({
        kind: "take",
        parts: [{ ...part, cost: cost % 3 }],
        record: { id: `id${id}`, ttlUs: policy.idTtlUs },
      });
    case "every":
      return async (store) => {
        const parts = partsOf(part, history, step);
        const receiptUs = 60_000_000;
        const outcome = await store.run({ kind: "take", parts, receiptUs });
        taken.set(store, { parts, outcome });
        return outcome;
      };
    case "undo":
      return async (store) => giveBackTaken(store);
    case "reserve":
      return run({
        kind: "take",
        parts: [part],
        record: { id: `r${id}`, ttlUs: 10_000_000 },
        receiptUs: 10_000_000,
      });
    case "settle":
      return run({ kind: "settle", part, id: `r${id}` });
    case "acquire":
      return run({ kind: "take", parts: [{ ...part, cost: (cost % 4) + 1 }], permit: `p${id}` });
    case "release":
    case "extend":
      return run({ kind: step.act, part: { ...part, cost: 0 }, permit: `p${id}` });
  }
}

/** What each store took last of several parts, to be given back. */
const taken = new WeakMap<Store, { readonly parts: Part[]; readonly outcome: Outcome }>();

/** Gives back what was taken of the first part that something was taken of; it may be as old as a reservation. */
async function giveBackTaken(store: Store): Promise<Outcome | undefined> {
  const { parts, outcome } = taken.get(store) ?? { parts: [], outcome: undefined };
  const index = outcome?.receipts.findIndex((receipt) => receipt !== undefined) ?? -1;
  const receipt = outcome?.receipts[index];
  taken.delete(store);
  if (outcome === undefined || receipt === undefined) return undefined;
  return store.run({ kind: "give", part: parts[index]!, takenAt: outcome.at, receipt });
}

/** Parts of different policy keys. */
function partsOf(part: Part, history: History, { others, key }: Step): Part[] {
  const parts = [part, ...others.map((other) => ({ policy: history.other, ...other }))];
  const names = parts.map((one) => `${one.policy.name}:${one.key}`);
  if (others.length === 2) parts.push({ ...part, key: key === "a" ? "b" : "a" });
  return parts.filter(
    (_part, index) => index >= names.length || names.indexOf(names[index]!) === index,
  );
}
