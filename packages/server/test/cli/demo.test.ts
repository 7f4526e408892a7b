// `tidegate demo`: what it prints adds up, and what it says of the limit is true.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Limit, tokenBucket } from "tidegate";
import { type Round, sayResult, wasKept } from "../../src/cli/demo-report.ts";
import { decisionWith } from "../service-support.ts";
import { execute, type Outcome, runHere } from "./support.ts";

const ANSWER = /^ {2}node +(\d+) {2}(allowed, [\d,]+ remaining|denied, retry in .+)$/gm;

function answersOf({ stdout }: Outcome) {
  return [...stdout.matchAll(ANSWER)].map(([, node, answer]) => {
    return { node: Number(node), allowed: answer!.startsWith("allowed") };
  });
}

const count = (answers: readonly { allowed: boolean }[]) =>
  answers.filter(({ allowed }) => allowed).length;

test("in memory exactly the capacity is admitted, from all nodes together", async () => {
  // Refilled so slowly that nothing comes back during the test.
  const outcome = await execute(["demo", "--refill", "1/h"]);
  assert.deepEqual([outcome.code, outcome.stderr], [0, ""]);
  const answers = answersOf(outcome);
  assert.deepEqual([answers.length, count(answers)], [24, 10]);
  for (const node of [1, 2, 3]) {
    assert.equal(answers.filter((answer) => answer.node === node).length, 8);
  }
  assert.match(outcome.stdout, /allowed, 9 remaining/);
  assert.match(outcome.stdout, /allowed, 0 remaining/);
  assert.match(outcome.stdout, /denied, retry in 1 h|denied, retry in 59 m/);
  assert.match(outcome.stdout, /One more would be admitted in/);
  assert.match(outcome.stdout, /all +24 +10 +14\n/);
  assert.match(
    outcome.stdout,
    /The limit was kept exactly\.\n {2}Burst: 10 of 24 admitted, 10 expected\./,
  );
  assert.ok(!outcome.stdout.includes("\u001b"), "no colours where there is no terminal");
});

test("nodes, requests and capacity are as asked for", async () => {
  const args = [
    "demo",
    "--nodes",
    "12",
    "--requests",
    "500",
    "--capacity",
    "77",
    "--refill",
    "1/h",
  ];
  const outcome = await runHere(args);
  const answers = answersOf(outcome);
  assert.deepEqual([outcome.code, answers.length, count(answers)], [0, 500, 77]);
  assert.equal(new Set(answers.map(({ node }) => node)).size, 12);
});

test("waits as the denial says, and is admitted again", async () => {
  const outcome = await runHere(["demo", "--refill", "10/s"]);
  assert.equal(outcome.code, 0, outcome.stdout);
  const [burst, later] = outcome.stdout.split(/Waiting \d+ ms, as the last denial says …/);
  const after = answersOf({ ...outcome, stdout: later! });
  assert.equal(answersOf({ ...outcome, stdout: burst! }).length, 24);
  assert.equal(after.length, 3);
  assert.ok(after[0]!.allowed, "the first to ask is admitted");
});

test("without denials there is nothing to wait for", async () => {
  const { code, stdout } = await runHere(["demo", "--requests", "4", "--nodes", "1"]);
  assert.equal(code, 0);
  assert.match(stdout, /One node sends 4 requests at once\./);
  assert.match(
    stdout,
    /Burst: 4 of 4 admitted, as the limit holds 10: ask for more to see denials\./,
  );
  assert.doesNotMatch(stdout, /Waiting/);
});

test("each run has a key of its own", async () => {
  const admitted = [];
  for (let run = 0; run < 2; run += 1) {
    admitted.push(count(answersOf(await runHere(["demo", "--refill", "1/h"]))));
  }
  assert.deepEqual(admitted, [10, 10]);
});

test("a Redis that is not there is said within seconds, without its password", async () => {
  const outcome = await execute(["demo", "--redis", "redis://:hunter2@127.0.0.1:1"]);
  assert.deepEqual(outcome, {
    code: 2,
    stdout: "",
    stderr:
      "tidegate: --redis redis://***@127.0.0.1:1 cannot be used: Redis gave no answer: " +
      "no connection (connect ECONNREFUSED 127.0.0.1:1).\n" +
      "Is it running there? Without --redis the demo counts in memory.\n",
  });
});

/** A round of so many admissions and denials, from 0 ms on. */
function round(allowed: number, denied: number, startMs: number, endMs: number): Round {
  const answers = Array.from({ length: allowed + denied }, (_, index) => {
    const decision = decisionWith({ allowed: index < allowed, limit: 10, remaining: 0 });
    return { node: index % 3, decision };
  });
  return { answers, startMs, endMs };
}

const limit: Limit = tokenBucket({ capacity: 10, refill: "1/s" });
const verdicts: readonly (readonly [string, readonly Round[], boolean])[] = [
  ["exactly the capacity", [round(10, 14, 0, 5)], true],
  ["one more", [round(11, 13, 0, 999)], false],
  ["one more that came back", [round(11, 13, 0, 1_000)], true],
  ["one less", [round(9, 15, 0, 5)], false],
  ["fewer asked than there is room for", [round(4, 0, 0, 5)], true],
  ["one after the wait", [round(10, 14, 0, 5), round(1, 2, 1_001, 1_005)], true],
  ["two after the wait for one", [round(10, 14, 0, 5), round(2, 1, 1_001, 1_005)], false],
  ["none after the wait", [round(10, 14, 0, 5), round(0, 3, 1_001, 1_005)], false],
];

for (const [name, rounds, kept] of verdicts) {
  test(`the verdict is ${kept ? "kept" : "NOT kept"}: ${name}`, () => {
    assert.equal(wasKept(rounds, limit), kept);
    const said = sayResult(rounds, limit, (_, text) => text);
    assert.equal(said.includes("The limit was NOT kept."), !kept);
    assert.equal(said.includes("The limit was kept exactly."), kept);
  });
}
