// Runs random histories through the memory store and a real Redis, and holds every answer of one equal to the other's.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Decision, type Limit, memoryStore, tokenBucket } from "tidegate";
import { createPolicy } from "../../packages/tidegate/src/policy/policy.ts";
import type { Outcome, Part, Work } from "../../packages/tidegate/src/ports/store.ts";
import {
  createManualClock,
  type ManualClock,
} from "../../packages/tidegate/test/support/manual-clock.ts";
import { type History, historyArbitrary, type Step } from "./histories.ts";
import { Side } from "./history-side.ts";
import { openManualRedis, setRedisClock } from "./manual-redis.ts";
import type { RedisServer } from "./redis-server.ts";

/** What a step asks of one side, of both alike. */
type Ask = (side: Side) => Promise<unknown>;

/** Runs histories of an algorithm, and returns how many answers were compared. */
export async function holdEqual(
  server: RedisServer,
  algorithm: Limit["algorithm"],
  parameters: fc.Parameters<[History]>,
  restarts = true,
): Promise<number> {
  const clock = createManualClock();
  let answers = 0;
  await loadScripts(server, clock);
  await fc.assert(
    fc.asyncProperty(historyArbitrary(algorithm, restarts), async (history) => {
      const kept = memoryStore({ clock, sweepSlots: 0 });
      const memory = new Side(history, clock, () => kept);
      const redis = new Side(history, clock, () => openManualRedis(server, clock, "differential"));
      clock.setUs(START_US);
      await server.client.flushdb();
      for (const [index, step] of history.steps.entries()) {
        clock.setUs(clock.now() + step.gapUs);
        await setRedisClock(server, clock.now());
        if (step.act === "restart") {
          await Promise.all([redis.restart(), memory.restart()]);
          continue;
        }
        const asks = asksOf(step, index);
        const actual = await Promise.all(asks.map((ask) => answerOf(ask, redis)));
        for (const [at, ask] of asks.entries()) {
          const expected = await answerOf(ask, memory);
          assert.deepEqual(actual[at], expected, `step ${index}, ${step.act}`);
          answers += 1;
        }
      }
      await Promise.all([redis.close(), memory.close()]);
    }),
    parameters,
  );
  return answers;
}

const START_US = Date.UTC(2026, 6, 1, 12, 34, 56, 789) * 1_000;

/** Has Redis know all scripts: a call of one that it does not know is overtaken by those behind it. */
async function loadScripts(server: RedisServer, clock: ManualClock): Promise<void> {
  clock.setUs(START_US);
  await setRedisClock(server, clock.now());
  const store = openManualRedis(server, clock, "differential");
  const policy = createPolicy("load", { limits: [tokenBucket({ capacity: 1, refill: "1/s" })] });
  const part = { policy, key: "load", cost: 1 };
  const ask = { node: "load", want: 1, spare: 0, keepUs: 0, owed: 0, backs: [] };
  await store.decide(policy, "load", 1, true);
  await store.run({ kind: "lease", part, ask });
  await store.run({ kind: "take", parts: [part] });
}

/** An answer without what the stores are to differ in. */
async function answerOf(ask: Ask, side: Side): Promise<unknown> {
  try {
    const answer = await ask(side);
    if (answer === undefined) return undefined;
    if (!("decision" in (answer as object))) return { ...(answer as Decision), source: undefined };
    const { decision, done, receipts, held, lease } = answer as Outcome;
    return { ...decision, source: undefined, done, receipts, held, lease };
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a step asks, all in one turn: it, and some that go out with it. */
function asksOf(step: Step, index: number): Ask[] {
  const asks = [askOf(step, index)];
  // Now and then a burst: several checks of one key and another, in one script call. Not with what takes several turns.
  if (index % 4 === 0 && !["reset", "whole", "again"].includes(step.act)) {
    for (const { key, cost } of step.others) {
      asks.push(async ({ store, policies }) => {
        const policy = policies[step.policy]!;
        return policy.holds ? undefined : store.decide(policy, key, cost, true);
      });
      asks.push(async ({ store, other }) => store.decide(other, key, cost, true));
    }
  }
  return asks;
}

function askOf(step: Step, index: number): Ask {
  const { key, cost, id } = step;
  const run = (workOf: (part: Part) => Work): Ask => {
    return async ({ store, policies }) => {
      return store.run(workOf({ policy: policies[step.policy]!, key, cost }));
    };
  };
  switch (step.act) {
    case "check":
    case "peek":
      return async ({ store, policies }) => {
        return store.decide(policies[step.policy]!, key, cost, step.act === "check");
      };
    case "reset":
      return async ({ store, policies }) => store.reset(policies[step.policy]!, key);
    case "refund":
      return run((part) => ({
        kind: "give",
        part,
        takenAt: Number.POSITIVE_INFINITY,
        ...(id === 0 ? { record: { id: "g", ttlUs: part.policy.idTtlUs } } : {}),
      }));
    case "named":
      return run((part) => ({
        kind: "take",
        parts: [{ ...part, cost: cost % 3 }],
        record: { id: `id${id}`, ttlUs: part.policy.idTtlUs },
      }));
    case "every":
      return (side) => side.takeEvery(step);
    case "undo":
      return (side) => side.giveBackTaken();
    case "whole":
      return (side) => side.checkEvery(step);
    case "again":
      return (side) => side.checkEvery();
    case "borrow":
      return (side) => side.borrow(step, index);
    case "restart":
      throw new Error("a restart asks nothing");
    case "reserve":
      return run((part) => ({
        kind: "take",
        parts: [part],
        record: { id: `r${id}`, ttlUs: 10_000_000 },
        receiptUs: 10_000_000,
      }));
    case "settle":
      return run((part) => ({ kind: "settle", part, id: `r${id}` }));
    case "acquire":
      return run((part) => ({
        kind: "take",
        parts: [{ ...part, cost: (cost % 4) + 1 }],
        permit: `p${id}`,
      }));
    case "release":
    case "extend": {
      const kind = step.act;
      return run((part) => ({ kind, part: { ...part, cost: 0 }, permit: `p${id}` }));
    }
  }
}
