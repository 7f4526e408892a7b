// Whom a node asks, and when: in turn, and no longer held up by others than its patience lasts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/gossip/bytes.ts";
import { Exchanges } from "../../src/gossip/exchanges.ts";
import { MessageWriter } from "../../src/gossip/message.ts";
import { fixedWindow } from "../../src/index.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster } from "./cluster.ts";
import { headerOf, originOf, readWhole } from "./messages.ts";

const PATIENCE_MS = 50;
const LARGE_BYTES = 100_000;
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
  exchanges.came("before", LARGE_BYTES);
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
  exchanges.came("a", LARGE_BYTES);
  assert.equal(exchanges.isBusy, false);
  exchanges.goOn();
  assert.deepEqual(asked, ["a", "b"]);
  exchanges.came("b", LARGE_BYTES);
  exchanges.goOn();
  pass(1_000);
  assert.deepEqual([asked, timers()], [["a", "b"], 0]);
});

test("where messages are small all are asked at once, until a large one comes", () => {
  const { exchanges, asked } = createExchanges();
  for (let message = 0; message < 40; message += 1) exchanges.came("before", 500);
  exchanges.begin(["a", "b"], ROUND_MS);
  assert.deepEqual([asked, exchanges.isBusy], [["a", "b"], false]);
  exchanges.came("a", LARGE_BYTES);
  assert.equal(exchanges.isBusy, true, "b has not answered");
  exchanges.begin(["c", "d"], ROUND_MS);
  assert.deepEqual(asked, ["a", "b"]);
});

test("nobody waits for an answer for longer than the patience lasts", () => {
  const { exchanges, asked, pass } = createExchanges();
  exchanges.begin(["a", "b", "c"], ROUND_MS);
  pass(PATIENCE_MS - 1);
  assert.deepEqual(asked, ["a"]);
  pass(1);
  assert.deepEqual(asked, ["a", "b"]);
  exchanges.came("a", LARGE_BYTES);
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
      exchanges.came("slow", LARGE_BYTES);
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
  exchanges.came("c", LARGE_BYTES);
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
  exchanges.came("a", LARGE_BYTES);
  exchanges.begin(["d", "e"], ROUND_MS);
  assert.deepEqual(asked, ["a", "d"]);
  exchanges.stop();
  pass(1_000);
  assert.deepEqual([asked, timers()], [["a", "d"], 0]);
});

const day = { limits: [fixedWindow({ limit: 100, window: "1d" })] };

test("a node asks the second of a round as soon as it has heard of the first", async () => {
  const cluster = new Cluster({ policies: { day }, nodes: 3, random: createSeededRandom(3) });
  await cluster.pass(1_000);
  const askedAt: number[] = [];
  cluster.sent = (from, _to, message) => {
    if (from === "node-0" && message[3] === 0) askedAt.push(cluster.time.nowUs);
  };
  for (let round = 0; round < 100; round += 1) {
    for (const node of [0, 1, 2]) await cluster.ask(node, "day", `key:${round}`);
    await cluster.pass(20);
  }
  const gaps = askedAt.slice(1).map((at, index) => at - askedAt[index]!);
  assert.ok(gaps.length >= 30, `${gaps.length}`);
  assert.deepEqual(
    gaps.filter((us) => us > 10_000 && us < 80_000),
    [],
  );
});

/** Two regions that have told each other all, and what the first node answers whoever asks it. */
async function createAnswering() {
  const region = (node: number) => (node === 3 ? "us" : "eu");
  const cluster = new Cluster({
    ...{ policies: { day }, nodes: 4, random: createSeededRandom(3), region, interval: "1s" },
  });
  await cluster.pass(10_000);
  // There is much to tell.
  for (let key = 0; key < 6_000; key += 1) await cluster.ask(1, "day", `key:${key}`);
  await cluster.pass(1_150);
  let sent: Uint8Array[] = [];
  cluster.sent = (from, _to, message) => {
    if (from === "node-0") sent.push(message.slice());
  };
  /** Has a node ask that knows so many versions of its own; answers what kinds of messages it is sent. */
  const askFrom = (
    node: number,
    version: number,
    instance = cluster.nodes[node]!.status().instance,
  ) => {
    const { address } = cluster.nodes[node]!;
    const header = headerOf({ instance, address, region: region(node), to: "node-0" });
    const writer = new MessageWriter(new ByteWriter(), header, 0, 1_000);
    const asking = originOf(instance, address);
    asking.version = version;
    writer.digest([asking]);
    writer.end(false);
    sent = [];
    cluster.deliver("node-0", writer.bytes);
    const headers = sent.map((message) => readWhole(message).header!);
    return headers.map(({ kind, isSated }) => (isSated ? `${kind}, sated` : kind));
  };
  return { cluster, askFrom };
}

test("while one that knows more is expected to say so, others are told to keep it", async () => {
  const { cluster, askFrom } = await createAnswering();
  assert.deepEqual(askFrom(1, 1), ["ack"]);
  assert.deepEqual(askFrom(1, 1_000_000), ["ack"], "whoever knows no more was not waited for");
  assert.deepEqual(askFrom(2, 1_000_000), ["ack, sated"]);
  await cluster.pass(510);
  assert.deepEqual(askFrom(3, 1_000_000), ["ack"]);
  assert.deepEqual(askFrom(2, 1), ["ack"], "nor is one of another region, which may keep it");
});

test("whoever is met just now is asked, and need not tell the same again", async () => {
  const { askFrom } = await createAnswering();
  assert.deepEqual(askFrom(1, 1, "00000000000000ff"), ["syn", "ack, sated"]);
});

test("where there is much to say it is told to each node about once, however long a message takes", async () => {
  const keys = 2_000;
  const unknowing = 4;
  for (const latencyUs of [1_000, 10_000, 20_000]) {
    const cluster = new Cluster({ policies: { day }, nodes: 5, random: createSeededRandom(3) });
    Object.assign(cluster.weather, { latencyUs });
    await cluster.pass(1_000);
    let told = 0;
    cluster.sent = (_from, _to, message) => {
      for (const { registers } of readWhole(message).blocks) told += registers.length;
    };
    const pass = async (rounds: number) => {
      for (let round = 0; round < rounds; round += 1) {
        for (let key = 0; key < keys; key += 1) await cluster.ask(key % 5, "day", `key:${key}`);
        await cluster.pass(100);
      }
    };
    await pass(5);
    told = 0;
    await pass(10);
    const times = told / (10 * keys * unknowing);
    assert.ok(times > 0.6 && times < 1.1, `${latencyUs} us: ${times}`);
  }
});
