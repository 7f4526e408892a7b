// Nodes that find each other and talk through a real Redis, which is killed, frozen and started again.

import assert from "node:assert/strict";
import { kill } from "node:process";
import { type TestContext, test } from "node:test";
import { type RedisTransportOptions, redisRegistry, redisTransport } from "tidegate/redis";
import { eventually } from "../support/eventually.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { startRedis, startRedisCluster, withoutRedis } from "../support/redis-server.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

interface Node {
  readonly transport: ReturnType<typeof redisTransport>;
  readonly received: number[][];
  readonly lost: string[];
  /** What was told of Redis: why it is away, or that it is back. */
  readonly told: string[];
}

async function startNode(
  context: Pick<TestContext, "after">,
  options: RedisTransportOptions,
): Promise<Node> {
  const received: number[][] = [];
  const lost: string[] = [];
  const told: string[] = [];
  const transport = redisTransport({
    lost: (reason) => lost.push(reason),
    changed: (reason) => told.push(reason === undefined ? "back" : "away"),
    ...options,
  });
  context.after(() => transport.close());
  await transport.open((message) => received.push([...message]));
  return { transport, received, lost, told };
}

test("nodes find each other and hear each other, byte by byte", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const { url } = redis;
  const a = await startNode(context, { url, address: "a" });
  const b = await startNode(context, { url });
  const stranger = await startNode(context, { url, address: "c", prefix: "other" });
  assert.match(b.transport.address, /.-[0-9a-f]{8}$/);
  assert.deepEqual(b.transport.members(), [b.transport.address, "a"], "the later one knows both");
  await eventually(() => assert.equal(a.transport.members().length, 2));
  assert.deepEqual(stranger.transport.members(), ["c"]);
  const all = Array.from({ length: 256 }, (_, value) => value);
  a.transport.send(b.transport.address, bytes(...all));
  b.transport.send("a", bytes(7));
  await eventually(() => assert.deepEqual([a.received, b.received], [[[7]], [all]]));
  a.transport.send("nobody", bytes(1));
  await eventually(() => assert.deepEqual(a.lost, ["unreachable"]));
  await b.transport.close();
  await eventually(() => assert.deepEqual(a.transport.members(), ["a"]));
  assert.deepEqual([...a.told, ...b.told, ...stranger.received], []);
});

test("who did not say for a while that it is there, is a member no more", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const key = "tidegate:gossip:members";
  const nowMs = Number((await redis.client.time())[0]) * 1_000;
  await redis.client.zadd(key, String(nowMs - 1_000), "killed", String(nowMs + 60_000), "alive");
  const registry = redisRegistry({ url: redis.url, address: "a" });
  context.after(() => registry.close());
  await registry.open();
  assert.deepEqual(registry.members(), ["alive", "a"]);
  const ttlMs = await redis.client.pttl(key);
  assert.ok(ttlMs > 0 && ttlMs <= 10_000, `${ttlMs}`);
  await registry.close();
  assert.deepEqual(await redis.client.zrange(key, "0", "-1"), ["alive"]);
});

test("a Redis that is away keeps the last members, is told of once, and serves again when it is back", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  const { url, port } = redis;
  const a = await startNode(context, { url, address: "a" });
  const b = await startNode(context, { url, address: "b" });
  await redis.stop();
  await eventually(() => assert.deepEqual([a.told, b.told], [["away"], ["away"]]));
  assert.deepEqual(b.transport.members(), ["b", "a"]);
  a.transport.send("b", bytes(1));
  await eventually(() => assert.deepEqual(a.lost, ["unreachable"]));
  const again = await startRedis({ port });
  context.after(() => again.stop());
  await eventually(() =>
    assert.deepEqual(
      [a.told, b.told],
      [
        ["away", "back"],
        ["away", "back"],
      ],
    ),
  );
  await eventually(() => {
    a.transport.send("b", bytes(2));
    assert.deepEqual(b.received.at(-1), [2]);
  });
});

test("for a Redis that is frozen a few messages wait, and a close does not", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const a = await startNode(context, { url: redis.url, address: "a" });
  const b = await startNode(context, { url: redis.url, address: "b" });
  kill(redis.pid, "SIGSTOP");
  for (let sent = 0; sent < 100; sent += 1) a.transport.send("b", bytes(sent));
  assert.equal(a.lost.length, 60, "8 on their way, 32 that wait");
  await b.transport.close();
  kill(redis.pid, "SIGCONT");
  const c = await startNode(context, { url: redis.url, address: "c" });
  await eventually(() => {
    a.transport.send("c", bytes(1));
    assert.deepEqual(c.received.at(-1), [1]);
  });
});

test("a subscription that is cut, or silently dead, is made anew", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const proxy = await startFaultProxy({ target: redis.port });
  context.after(() => proxy.stop());
  const a = await startNode(context, { url: redis.url, address: "a" });
  const b = await startNode(context, { url: `redis://127.0.0.1:${proxy.port}`, address: "b" });
  const hears = async () => {
    const before = b.received.length;
    await eventually(() => {
      a.transport.send("b", bytes(1));
      assert.ok(b.received.length > before);
    });
  };
  await hears();
  await redis.client.call("CLIENT", "KILL", "TYPE", "pubsub");
  await hears();
  // Its connection stays, and what is said to it is lost for good.
  await proxy.turn({ kind: "drop", percent: 100 });
  a.transport.send("b", bytes(2));
  await eventually(() => assert.deepEqual(b.told, ["away"]));
  await proxy.turn({ kind: "pass" });
  await hears();
  assert.ok(!b.received.some(([value]) => value === 2));
});

test("in a Cluster nodes hear each other whichever of its servers they are connected to", {
  skip: withoutRedis,
}, async (context) => {
  const cluster = await startRedisCluster();
  context.after(() => cluster.stop());
  const a = await startNode(context, { url: cluster.url, address: "a" });
  const b = await startNode(context, { url: cluster.url, address: "b" });
  assert.deepEqual(b.transport.members(), ["b", "a"]);
  await eventually(() => {
    a.transport.send("b", bytes(1));
    b.transport.send("a", bytes(2));
    assert.deepEqual([a.received.at(-1), b.received.at(-1)], [[2], [1]]);
  });
});

test("what is wrong with the options is named", () => {
  const url = "redis://127.0.0.1:1";
  const wrong: [RedisTransportOptions, RegExp][] = [
    [{ url: "http://x" }, /^url must be a Redis address/],
    [{ url, address: "" }, /^address must be a text of 1 to 300 characters, got ""/],
    [{ url, prefix: "a b" }, /^prefix must be 1 to 64 letters/],
    [{ url, lost: 1 as never }, /^lost must be a function, got 1/],
    [{ url, changed: 1 as never }, /^changed must be a function, got 1/],
    [{ url, timer: {} as never }, /^timer must be an object with after/],
    [{ url, adress: "a" } as never, /^unknown option "adress" of redisTransport; did you mean/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => redisTransport(options), { code: "INVALID_OPTION", message });
  }
  assert.throws(() => redisRegistry({ url } as never), /address must be a text/);
});
