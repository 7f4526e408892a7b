// Whom a node asks, and when: in turn, and no longer held up by others than its patience lasts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Exchanges } from "../../src/gossip/exchanges.ts";
import { fixedWindow } from "../../src/index.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster } from "./cluster.ts";
import { readWhole } from "./messages.ts";

const PATIENCE_MS = 50;
const MOST_PATIENCE_MS = 200;
const ROUND_MS = 1_000;

/** Exchanges, whom they asked, and the time. */
function createExchanges() {
  const asked: string[] = [];
  let now = 0;
  let due: { readonly at: number; readonly run: () => void }[] = [];
  const exchanges: Exchanges = new Exchanges({
    steady: () => 1_000 * now,
    ...{ patienceMs: PATIENCE_MS, mostPatienceMs: MOST_PATIENCE_MS },
    timer: {
      after(ms, run) {
        const entry = { at: now + ms, run };
        due.push(entry);
        return () => {
          due = due.filter((one) => one !== entry);
        };
      },
    },
    ask(address) {
      asked.push(address);
      exchanges.expect(address);
    },
  });
  const pass = (ms: number) => {
    now += ms;
    const over = due.filter(({ at }) => at <= now);
    due = due.filter(({ at }) => at > now);
    for (const { run } of over) run();
  };
  return { exchanges, asked, pass, timers: () => due.length };
}

test("the next is asked once the one before has answered", () => {
  const { exchanges, asked, pass, timers } = createExchanges();
  exchanges.begin(["a", "b"], ROUND_MS);
  assert.deepEqual([asked, exchanges.isBusy], [["a"], true]);
  exchanges.goOn();
  assert.deepEqual(asked, ["a"], "that another message came is no answer");
  exchanges.came("a");
  assert.equal(exchanges.isBusy, false);
  exchanges.goOn();
  assert.deepEqual(asked, ["a", "b"]);
  exchanges.came("b");
  exchanges.goOn();
  pass(1_000);
  assert.deepEqual([asked, timers()], [["a", "b"], 0]);
});

test("nobody waits for an answer for longer than the patience lasts", () => {
  const { exchanges, asked, pass } = createExchanges();
  exchanges.begin(["a", "b", "c"], ROUND_MS);
  pass(PATIENCE_MS - 1);
  assert.deepEqual(asked, ["a"]);
  pass(1);
  assert.deepEqual(asked, ["a", "b"]);
  exchanges.came("a");
  exchanges.goOn();
  assert.deepEqual(asked, ["a", "b"], "b has not answered");
  pass(PATIENCE_MS);
  assert.deepEqual(asked, ["a", "b", "c"]);
});

test("however many there are and none of them answers, all are asked before the round is over", () => {
  const { exchanges, asked, pass } = createExchanges();
  const addresses = Array.from({ length: 25 }, (_, index) => `${index}`);
  exchanges.begin(addresses, ROUND_MS);
  for (let ms = 1; ms < ROUND_MS; ms += 1) pass(1);
  assert.deepEqual(asked, addresses);
});

test("whoever says again and again that something is to come holds up nobody for longer", () => {
  const { exchanges, asked, pass } = createExchanges();
  exchanges.expect("stranger:0");
  exchanges.begin(["a"], ROUND_MS);
  for (let turn = 1; turn <= PATIENCE_MS; turn += 1) {
    assert.deepEqual(asked, []);
    exchanges.expect(`stranger:${turn}`);
    exchanges.goOn();
    pass(1);
  }
  assert.deepEqual(asked, ["a"]);
});

test("where answers take long nobody is asked beside them, up to a most", () => {
  const { exchanges, asked, pass } = createExchanges();
  const answerAfter = (ms: number, times: number) => {
    for (let time = 0; time < times; time += 1) {
      exchanges.expect("slow");
      pass(ms);
      exchanges.came("slow");
    }
  };
  answerAfter(40, 20);
  exchanges.begin(["slow", "b"], ROUND_MS);
  pass(PATIENCE_MS + 5);
  assert.deepEqual([asked, exchanges.isBusy], [["slow"], true]);
  pass(3 * 40 - PATIENCE_MS);
  assert.deepEqual(asked, ["slow", "b"]);
  answerAfter(1_000, 20);
  exchanges.begin(["slow", "c"], ROUND_MS);
  pass(MOST_PATIENCE_MS - 1);
  assert.deepEqual(asked, ["slow", "b", "slow"]);
  pass(1);
  assert.deepEqual(asked, ["slow", "b", "slow", "c"]);
  exchanges.came("c");
  answerAfter(1, 40);
  exchanges.begin(["d", "e"], ROUND_MS);
  pass(PATIENCE_MS);
  assert.deepEqual(asked.slice(4), ["d", "e"], "and where they do not any more, as before");
});

test("what was expected and does not come is not expected for ever", () => {
  const { exchanges, pass } = createExchanges();
  exchanges.expect("a");
  pass(PATIENCE_MS - 1);
  assert.equal(exchanges.isBusy, true);
  pass(1);
  assert.equal(exchanges.isBusy, false);
});

test("a round begins with its own, and stopped, nobody is asked", () => {
  const { exchanges, asked, pass, timers } = createExchanges();
  exchanges.begin(["a", "b", "c"], ROUND_MS);
  exchanges.came("a");
  exchanges.begin(["d", "e"], ROUND_MS);
  assert.deepEqual(asked, ["a", "d"]);
  exchanges.stop();
  pass(1_000);
  assert.deepEqual([asked, timers()], [["a", "d"], 0]);
});

test("what is said of a key travels to each node about once, however long a message takes", async () => {
  for (const latencyUs of [1_000, 10_000, 20_000]) {
    const policies = { day: { limits: [fixedWindow({ limit: 100, window: "1d" })] } };
    const cluster = new Cluster({ policies, nodes: 5, random: createSeededRandom(3) });
    Object.assign(cluster.weather, { latencyUs });
    await cluster.pass(1_000);
    let told = 0;
    cluster.sent = (_from, _to, message) => {
      for (const { registers } of readWhole(message).blocks) told += registers.length;
    };
    const keys = 2_000;
    for (let key = 0; key < keys; key += 1) await cluster.ask(key % 5, "day", `key:${key}`);
    await cluster.pass(1_000);
    const times = told / (keys * 4);
    assert.ok(times < 1.3, `${latencyUs} us: ${times}`);
  }
});
