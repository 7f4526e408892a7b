// The Redis store before a Redis that never answers: what it lets wait, and what becomes of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { slidingLog, tokenBucket } from "tidegate";
import { createPolicy } from "../../../src/policy/policy.ts";
import { InRedis } from "../../../src/stores/redis/in-redis.ts";
import { createKeyNames, type HashTag } from "../../../src/stores/redis/key.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { settled } from "../../support/manual-timer.ts";

/** A store whose turns end when told to, and whose calls wait until they fail. */
function createHung({ cluster = false, hashTag = undefined as HashTag | undefined } = {}) {
  const turns: (() => void)[] = [];
  const calls: ((error: Error) => void)[] = [];
  const send = () => new Promise<never>((_resolve, reject) => calls.push(reject));
  const script = { text: "", sha: "" };
  const store = new InRedis(
    { cluster, send },
    { decide: script, lease: script, transact: script },
    {
      nameOf: createKeyNames("tidegate", hashTag),
      prefix: "tidegate",
      maxBatch: 128,
      scheduler: { afterTurn: (work) => void turns.push(work) },
      timer: { after: () => () => {} },
      clock: createManualClock(),
    },
  );
  return {
    store,
    calls,
    endTurn() {
      for (const work of turns.splice(0)) work();
    },
  };
}

const log = createPolicy("log", { limits: [slidingLog({ limit: 5, window: "1h" })] });
const bucket = createPolicy("bucket", { limits: [tokenBucket({ capacity: 5, refill: "1/s" })] });

test("trap 8: what waits for a Redis that does not answer is bounded, and answered in the end", async () => {
  const { store, calls, endTurn } = createHung();
  const asks: Promise<unknown>[] = [];
  for (let index = 0; index < 120_000; index += 1) {
    const key = `k${index % 50}`;
    const policy = index % 2 === 0 ? log : bucket;
    asks.push(
      index % 4 === 3
        ? store.run({ kind: "take", parts: [{ policy, key, cost: 1 }] })
        : store.decide(policy, key, 1, true),
    );
  }
  const outcomes = Promise.allSettled(asks);
  endTurn();
  assert.ok(calls.length <= 10_000, `${calls.length} calls`);
  for (const fail of calls) fail(new Error("gone"));
  const messages = new Map<string, number>();
  for (const outcome of await outcomes) {
    assert.equal(outcome.status, "rejected");
    const { code, message } = (outcome as PromiseRejectedResult).reason;
    assert.equal(code, "STORE_UNAVAILABLE");
    messages.set(message, (messages.get(message) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(messages), {
    "Redis gave no answer: gone": 100_000,
    "Redis gave no answer: 100000 checks wait for one already": 20_000,
  });
  const next = store.decide(log, "k", 1, true);
  endTurn();
  calls.at(-1)!(new Error("still gone"));
  await assert.rejects(next, /still gone/, "there is room again");
});

test("trap 8: several keys as one count for as many, and calls of a Cluster are bounded by slot", async () => {
  const { store, endTurn } = createHung();
  const parts = Array.from({ length: 64 }, (_, index) => ({
    policy: bucket,
    key: `k${index}`,
    cost: 1,
  }));
  let refused = 0;
  const settled: Promise<void>[] = [];
  for (let index = 0; index < 2_000; index += 1) {
    settled.push(
      Promise.resolve(store.run({ kind: "take", parts })).then(
        () => assert.fail("answered"),
        ({ message }: Error) => {
          refused += message.includes("100000 checks wait") ? 1 : 0;
        },
      ),
    );
  }
  endTurn();
  await Promise.all(settled.slice(-400));
  assert.equal(refused, 2_000 - Math.ceil(100_000 / 64));
  const cluster = createHung({ cluster: true });
  for (let index = 0; index < 12_000; index += 1) {
    const one = Promise.resolve(cluster.store.decide(log, `k${index}`, 1, true));
    one.catch(() => {});
    cluster.endTurn();
  }
  assert.ok(cluster.calls.length <= 10_000, `${cluster.calls.length} calls`);
});

test("trap 4: a check that waits for the reset of its key is not sent when its deadline has passed", async () => {
  for (const [afterMs, sent] of [
    [49, 3],
    [50, 1],
  ] as const) {
    const clock = createManualClock();
    const answers: ((reply: readonly number[]) => void)[] = [];
    const turns: (() => void)[] = [];
    const send = () => new Promise<readonly number[]>((resolve) => answers.push(resolve));
    const script = { text: "", sha: "" };
    const store = new InRedis(
      { cluster: false, send },
      { decide: script, lease: script, transact: script },
      {
        nameOf: createKeyNames("tidegate", undefined),
        prefix: "tidegate",
        maxBatch: 128,
        scheduler: { afterTurn: (work) => void turns.push(work) },
        timer: { after: () => () => {} },
        clock,
      },
    );
    const reset = store.reset(bucket, "k");
    const work = { kind: "take", parts: [{ policy: bucket, key: "k", cost: 1 }] } as const;
    const asked = Promise.allSettled([store.decide(bucket, "k", 1, true), store.run(work)]);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advanceMs(afterMs);
    // The instant, and an answer about one part with one limit.
    answers[0]!([clock.now(), ...Array(8).fill(0)]);
    await reset;
    await new Promise((resolve) => setImmediate(resolve));
    for (const turn of turns) turn();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(
      answers.length,
      sent,
      `the reset, and in time a check and work, after ${afterMs} ms`,
    );
    if (sent > 1) continue;
    for (const outcome of await asked) {
      assert.equal(outcome.status, "rejected");
      const { code, message } = (outcome as PromiseRejectedResult).reason;
      assert.equal(code, "STORE_UNAVAILABLE");
      assert.match(message, /the key was not reset within 50 ms$/);
    }
  }
});

for (const cluster of [false, true]) {
  test(`a hash tag that is none is the caller's error, and no other's${cluster ? ", in a Cluster" : ""}`, async () => {
    const hashTag: HashTag = ({ key }) => (key === "bad" ? "" : "all");
    const { store, calls, endTurn } = createHung({ cluster, hashTag });
    const lease = { want: 1, spare: 0, keepUs: 1, owed: 0, backs: [], node: "me" };
    const ways: ((key: string) => Promise<unknown>)[] = [
      (key: string) => store.decide(bucket, key, 1, true),
      (key: string) =>
        store.run({ kind: "lease", part: { policy: bucket, key, cost: 1 }, ask: lease }),
      (key: string) => store.run({ kind: "take", parts: [{ policy: bucket, key, cost: 1 }] }),
    ];
    for (const [index, ask] of ways.entries()) {
      // Before all others, between them, and alone in its turn.
      for (const keys of [["bad", "a"], ["a", "bad", "b"], ["bad"]]) {
        const outcomes = Promise.allSettled(keys.map((key) => ask(key)));
        // Something else has the turn end.
        const other = Promise.allSettled([ways[(index + 1) % ways.length]!("other")]);
        endTurn();
        await settled();
        const asked = keys.length > 1 ? 2 : 1;
        assert.equal(calls.length, asked, "no call asks nothing");
        for (const fail of calls.splice(0)) fail(new Error("gone"));
        const codes = (await outcomes).map(
          (outcome) => (outcome as PromiseRejectedResult).reason.code,
        );
        const expected = keys.map((key) =>
          key === "bad" ? "INVALID_OPTION" : "STORE_UNAVAILABLE",
        );
        assert.deepEqual(codes, expected);
        await other;
      }
    }
  });
}
