// A fuzz of the peer protocol: whatever a node receives, it neither throws nor hangs nor fills its memory, and goes on
// to decide and to agree with the others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import { MAX_TOLD_UNITS, MAX_VERSION } from "../../src/gossip/message.ts";
import { fixedWindow, slidingWindow, tokenBucket } from "../../src/index.ts";
import { below, createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster } from "./cluster.ts";
import { headerOf, messageOf, originOf, say } from "./messages.ts";

const policies = {
  api: {
    limits: [
      tokenBucket({ capacity: 100, refill: "100/s" }),
      slidingWindow({ limit: 200, window: "1m" }),
      fixedWindow({ limit: 500, window: "1h" }),
    ],
  },
  login: { limits: [fixedWindow({ limit: 100, window: "1d" })] },
  hot: { limits: [tokenBucket({ capacity: 20, refill: "20/s" })], partition: "share" as const },
};

const SECRET = "what no stranger knows";

/** Three nodes that were in use for a while, and the messages that they sent. */
async function createTarget(seed: number, secret?: string, interval = "100ms") {
  const random = createSeededRandom(seed);
  const cluster = new Cluster({
    ...{ policies, nodes: 3, random, interval },
    ...(secret === undefined ? {} : { secret: () => secret }),
  });
  const messages: Uint8Array[] = [];
  cluster.sent = (_from, _to, message) => {
    if (messages.length < 500) messages.push(message.slice());
  };
  for (let round = 0; round < 20; round += 1) {
    for (const node of [0, 1, 2]) {
      await cluster.ask(node, "api", `user:${below(random, 20)}`, 3);
      await cluster.ask(node, "hot", "k\ud800", 2);
    }
    await cluster.pass(100);
  }
  cluster.sent = undefined;
  return { cluster, messages, random, node: cluster.nodes[0]! };
}

/** All nodes decide, and what one admits the others count. */
async function requireUsable(cluster: Cluster): Promise<void> {
  await cluster.pass(2_000);
  for (const node of cluster.nodes) assert.equal(node.status().joined, true);
  const admitted = await cluster.ask(1, "login", "fresh", 30);
  await cluster.pass(20_000);
  const answer = await cluster.nodes[2]!.limiter.peek({ policy: "login", key: "fresh", cost: 0 });
  assert.ok(admitted >= 30, `${admitted} admitted`);
  assert.equal(answer.remaining, 100 - admitted);
  const state = JSON.stringify(cluster.nodes[0]!.status());
  assert.doesNotMatch(state, /null,"lag|NaN|Infinity/);
}

const counts = (told: readonly { readonly direction: string }[], direction: string) => {
  return told.filter((event) => event.direction === direction).length;
};

test("random bytes are refused, with a secret and without", async () => {
  for (const secret of [undefined, SECRET]) {
    const { cluster, random, node } = await createTarget(1, secret);
    node.messages.length = 0;
    for (let time = 0; time < 3_000; time += 1) {
      const bytes = Uint8Array.from({ length: below(random, 200) }, () => below(random, 256));
      // Half of them begin as messages do, so that more than their first bytes is read.
      if (time % 2 === 0) bytes.set([0x54, 0x47, 1, time % 3].slice(0, bytes.length));
      cluster.deliver(node.address, bytes);
    }
    assert.equal(counts(node.messages, "refused") + counts(node.messages, "received"), 3_000);
    assert.ok(counts(node.messages, "refused") > 2_900);
    if (secret !== undefined) assert.equal(counts(node.messages, "received"), 0);
    await requireUsable(cluster);
  }
});

test("real messages with flipped bits, cut short, joined or repeated end no node", async () => {
  for (const seed of [2, 3, 4]) {
    const { cluster, messages, random, node } = await createTarget(seed);
    const before = node.status().keys;
    node.messages.length = 0;
    for (let time = 0; time < 3_000; time += 1) {
      const one = messages[below(random, messages.length)]!;
      const other = messages[below(random, messages.length)]!;
      let bytes = one.slice();
      const kind = time % 4;
      if (kind === 0) bytes = bytes.subarray(0, below(random, bytes.length));
      if (kind === 1) bytes = new Uint8Array([...bytes, ...other.subarray(below(random, 40))]);
      if (kind >= 2) {
        for (let flips = 0; flips < 1 + below(random, 4); flips += 1) {
          bytes[below(random, bytes.length)]! ^= 1 << below(random, 8);
        }
      }
      cluster.deliver(node.address, bytes);
      if (time % 100 === 0) await cluster.pass(10);
    }
    assert.ok(counts(node.messages, "refused") > 1_000);
    // Of a flipped bit may come a key that there is not; of a message, no more than it has bytes for.
    assert.ok(node.status().keys < before + 20_000, `${node.status().keys} keys`);
    await requireUsable(cluster);
  }
});

test("no message that is signed can be altered", async () => {
  const { cluster, messages, random, node } = await createTarget(5, SECRET);
  node.messages.length = 0;
  for (let time = 0; time < 3_000; time += 1) {
    const bytes = messages[below(random, messages.length)]!.slice();
    bytes[below(random, bytes.length)]! ^= 1 << below(random, 8);
    cluster.deliver(node.address, bytes);
  }
  assert.equal(counts(node.messages, "received"), 0);
  assert.equal(counts(node.messages, "refused"), 3_000);
  await requireUsable(cluster);
});

test("messages of long ago, again and again, change nothing", async () => {
  const { cluster, messages, random, node } = await createTarget(6, SECRET);
  await cluster.ask(0, "api", "user:1", 40);
  await cluster.pass(500);
  const remaining = async () => {
    const answer = await node.limiter.peek({ policy: "api", key: "user:1", cost: 0 });
    return answer.remaining;
  };
  const before = await remaining();
  for (let time = 0; time < 2_000; time += 1) {
    cluster.deliver(node.address, messages[below(random, messages.length)]!);
  }
  assert.equal(await remaining(), before);
  await requireUsable(cluster);
});

test("a peer that lies about units poisons a key for no longer than it takes to fill", async () => {
  const { cluster, node } = await createTarget(7);
  const lies = originOf("00000000000000ff", "liar:1");
  cluster.deliver(node.address, messageOf([[lies, 0]]));
  for (const units of [MAX_TOLD_UNITS, -MAX_TOLD_UNITS, MAX_TOLD_UNITS]) {
    for (const [policy, key] of [
      ["api", "victim"],
      ["hot", "victim"],
    ] as const) {
      const windows = [{ startedAt: 0, present: MAX_TOLD_UNITS, before: MAX_TOLD_UNITS }];
      const from = lies.version;
      const levels = new Uint8Array(policy === "api" ? 3 : 1).fill(255);
      say(lies, new CountedKey(policy, key), { units, levels, demand: 255, windows });
      cluster.deliver(node.address, messageOf([[lies, from]]));
    }
  }
  assert.equal(await cluster.ask(0, "hot", "victim"), 0, "it is believed, once");
  await cluster.pass(4_000);
  assert.equal(await cluster.ask(0, "hot", "victim"), 1);
  await requireUsable(cluster);
});

test("a peer that says more of another than that ever said silences it for a moment only", async () => {
  const { cluster } = await createTarget(8);
  const [victim] = cluster.nodes;
  const { instance, address } = victim!.status();
  const lie = originOf(instance, address);
  lie.version = 1_000_000;
  for (const other of [1, 2]) {
    cluster.deliver(`node-${other}`, messageOf([[lie, 0]]));
  }
  await cluster.pass(500);
  const admitted = await cluster.ask(0, "api", "again", 30);
  await cluster.pass(100);
  const answer = await cluster.nodes[1]!.limiter.peek({ policy: "api", key: "again", cost: 0 });
  assert.ok(admitted > 20 && answer.remaining < 100, `${admitted}, ${answer.remaining} remain`);
  const huge = originOf(instance, address);
  huge.version = 2 * MAX_VERSION;
  cluster.deliver("node-1", messageOf([[huge, 0]]));
  await cluster.pass(500);
  await requireUsable(cluster);
});

test("strangers without number, with keys and policies without number, are bounded", async () => {
  const { cluster, node } = await createTarget(9, undefined, "5s");
  for (let life = 0; life < 800; life += 1) {
    const origin = originOf(life.toString(16).padStart(16, "d"), `stranger-${life}:1`);
    say(origin, new CountedKey(`policy-${life}`, `key-${life}`), { units: 5 });
    const header = headerOf({ kind: "ack", instance: origin.instance, address: origin.address });
    cluster.deliver(node.address, messageOf([[origin, 0]], 0, header));
  }
  const { keys, peers } = node.status();
  assert.ok(keys < 900 && peers.length < 10, `${keys} keys, ${peers.length} peers`);
  await cluster.pass(200_000);
  assert.ok(node.status().keys <= 40, `${node.status().keys} keys`);
  await requireUsable(cluster);
});
