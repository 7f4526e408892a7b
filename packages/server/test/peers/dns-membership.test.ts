import assert from "node:assert/strict";
import { test } from "node:test";
import { RESOLVE_EVERY_MS, watchDns } from "../../src/peers/dns-membership.ts";
import { createLogLines, createManualTimers } from "../service-support.ts";

const turns = () => new Promise((resolve) => setImmediate(resolve));
const name = { host: "tidegate-peers", port: 8083 };

/** A name whose answers are given by hand; undefined waits for ever. */
function start() {
  const timers = createManualTimers();
  const logger = createLogLines();
  let answer: () => Promise<readonly string[]> = async () => ["10.0.0.2", "10.0.0.1", "fd00::1"];
  let asked = 0;
  const resolve = (host: string) => {
    assert.equal(host, name.host);
    asked += 1;
    return answer();
  };
  const begin = () => watchDns({ name, timers, logger, resolve });
  const next = async (following: typeof answer) => {
    answer = following;
    timers.advance(RESOLVE_EVERY_MS);
    await turns();
  };
  const lines = () => logger.lines.map(({ level, message, fields }) => [level, message, fields]);
  return { timers, begin, next, lines, asked: () => asked };
}

const fails = (message: string) => async () => {
  throw new Error(message);
};

test("the addresses of a name are the members, as of the last answer", async () => {
  const { begin, next, lines } = start();
  const membership = await begin();
  assert.deepEqual(membership.members(), ["10.0.0.1:8083", "10.0.0.2:8083", "[fd00::1]:8083"]);
  await next(async () => ["10.0.0.7"]);
  assert.deepEqual(membership.members(), ["10.0.0.7:8083"]);
  assert.deepEqual(lines(), []);
});

test("a failure keeps the last answer, and is a line of the log each time that it changes", async () => {
  const { begin, next, lines } = start();
  const membership = await begin();
  const before = membership.members();
  await next(fails("ENOTFOUND"));
  await next(fails("EAI_AGAIN"));
  await next(async () => []);
  assert.deepEqual(membership.members(), before);
  await next(async () => ["10.0.0.7"]);
  await next(async () => ["10.0.0.8"]);
  assert.deepEqual(lines(), [
    [
      "warn",
      "the peers' name cannot be resolved: as before",
      { name: name.host, nodes: 3, reason: "ENOTFOUND" },
    ],
    ["info", "the peers' name is resolved again", { name: name.host, nodes: 1 }],
  ]);
});

test("a start waits for the first answer, and no longer than two seconds", async () => {
  const { begin, next, timers, asked, lines } = start();
  let answer: (addresses: string[]) => void = () => undefined;
  await next(() => new Promise((resolve) => (answer = resolve)));
  const beginning = begin();
  timers.advance(2_000);
  const membership = await beginning;
  assert.deepEqual(membership.members(), []);
  timers.advance(60_000);
  assert.equal(asked(), 1, "one question at a time");
  answer(["10.0.0.1"]);
  await turns();
  assert.deepEqual(membership.members(), ["10.0.0.1:8083"]);
  membership.close();
  timers.advance(60_000);
  assert.equal(asked(), 1);
  assert.deepEqual(lines(), []);
});

test("the system's resolver is asked where none is passed", async (context) => {
  const timers = createManualTimers();
  const logger = createLogLines();
  const membership = await watchDns({ name: { host: "localhost", port: 1 }, timers, logger });
  context.after(() => membership.close());
  assert.ok(membership.members().some((one) => ["127.0.0.1:1", "[::1]:1"].includes(one)));
});
