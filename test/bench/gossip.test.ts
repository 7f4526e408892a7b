// The benchmark of gossip, small: how a run is judged, and that the model is asked and counted. Nothing here depends on
// how fast the machine is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answers, judgeRun } from "../../bench/src/gossip/judge.ts";
import { runModel } from "../../bench/src/gossip/model.ts";
import { boundWhileCut, type Phase, type Scenario } from "../../bench/src/gossip/scenario.ts";
import { encodeBatch, readAdmitted } from "../../bench/src/grpc/messages.ts";

const NONE = { bytesPerSecond: 0, messagesPerSecond: 0, cpu: 0, allSeenMs: 0 };

function scenario(...phases: readonly Phase[]): Scenario {
  return { intervalMs: 100, partition: "full", phases, seed: 3 };
}

/** Asks one key every 10 ms for so many seconds, and admits what `admits` says. */
function answersOf(seconds: number, admits: (index: number) => boolean): Answers {
  const count = 100 * seconds;
  return {
    askedUs: Uint32Array.from({ length: count }, (_, index) => 10_000 * index),
    keys: new Uint16Array(count),
    admitted: Uint8Array.from({ length: count }, (_, index) => (admits(index) ? 1 : 0)),
  };
}

test("a run is judged by phases: ratio, worst second, bound, and when it is back", () => {
  const cut: Phase = { name: "cut", seconds: 2, begins: "cut" };
  const healed: Phase = { name: "healed", seconds: 3, begins: "heal" };
  // The ideal admits all of them: the bucket is refilled as fast as it is asked.
  const answers = [answersOf(5, (index) => index >= 250)];
  const [first, second] = judgeRun(scenario(cut, healed), { answers, traffic: [NONE, NONE] });
  assert.equal(first!.requestsPerSecond, 100);
  assert.equal(first!.ratio, 0);
  assert.equal(first!.mostOver, 0, "of the keys that nobody asked for");
  assert.equal(first!.ofBound, 0);
  assert.ok(Number.isNaN(first!.backMs));
  assert.ok(Math.abs(second!.ratio - 250 / 300) < 1e-9);
  assert.equal(second!.worstSecond, 1);
  assert.equal(second!.backMs, 500);
  assert.ok(Number.isNaN(second!.ofBound));
});

test("bounds of a partition are those that the policies document", () => {
  const full = scenario();
  assert.equal(boundWhileCut(full, 20), 2 * (100 + 100 * 20));
  assert.equal(boundWhileCut({ ...full, partition: "share" }, 20), 100 + 100 * 20 + 50);
  assert.equal(
    boundWhileCut({ ...full, partition: "share", intervalMs: 1_000 }, 20),
    100 + 100 * 20 + 400,
  );
});

test("the model is cut, healed and killed as the scenario says, and repeats itself", async () => {
  const phases: readonly Phase[] = [
    { name: "steady", seconds: 2, begins: undefined },
    { name: "cut", seconds: 2, begins: "cut" },
    { name: "healed", seconds: 2, begins: "heal" },
    { name: "killed", seconds: 1, begins: "kill" },
    { name: "back", seconds: 1, begins: "start" },
  ];
  const run = await runModel(scenario(...phases));
  const results = judgeRun(scenario(...phases), run);
  assert.ok(results[1]!.ratio > 1.5, "each side enforces the whole limit");
  assert.ok(results[1]!.ofBound > 0 && results[1]!.ofBound <= 1);
  assert.ok(results[2]!.ratio < 1, "and debts are repaid");
  assert.ok(results[2]!.allSeenMs < 2_000 && results[4]!.allSeenMs < 1_000);
  assert.ok(results[3]!.requestsPerSecond < 0.81 * results[2]!.requestsPerSecond);
  assert.ok(results.every(({ messagesPerSecond }) => messagesPerSecond > 10));
  const again = await runModel(scenario(...phases));
  assert.deepEqual(again, run);
});

test("of an answer to a batch it is read which requests were admitted", () => {
  // As a request is a list of texts in the first field, so is an answer a list of messages: one that begins with true.
  const answer = Buffer.from([0x0a, 4, 0x08, 1, 0x28, 100, 0x0a, 2, 0x28, 100]);
  const admitted = new Uint8Array(3).fill(9);
  assert.equal(readAdmitted(answer, admitted, 1), 2);
  assert.deepEqual([...admitted], [9, 1, 0]);
  assert.throws(() => readAdmitted(Buffer.from([0x12, 0]), admitted, 0), /no list/);
  assert.ok(encodeBatch("users", ["user:1"]).length > 10);
});
