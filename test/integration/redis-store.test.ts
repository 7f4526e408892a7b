// What only the Redis store does: one call per turn, keys that expire, scripts that get lost, a Redis that goes away.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createLimiter, fixedWindow, type Limiter, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { redisKey, slotOf } from "../../packages/tidegate/src/stores/redis/key.ts";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { patient } from "../support/patient.ts";
import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
  withoutRedis,
} from "../support/redis-server.ts";

const policies = patient({
  api: { limits: [tokenBucket({ capacity: 100, refill: "1/s" })] },
  hourly: {
    limits: [
      fixedWindow({ limit: 1_000, window: "1h" }),
      tokenBucket({ capacity: 7, refill: "3/m" }),
    ],
  },
});

async function calls(server: RedisServer): Promise<Record<string, number>> {
  const text = await server.client.info("commandstats");
  const lines = text.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm);
  return Object.fromEntries([...lines].map((line) => [line[1]!, Number(line[2])]));
}

describe("Redis store", { skip: withoutRedis }, () => {
  let server: RedisServer;
  let limiter: Limiter;
  const operations: string[] = [];
  before(async () => {
    server = await startRedis();
    limiter = createLimiter({
      store: bareStore(redisStore({ url: server.url })),
      policies,
      telemetry: {
        storeCalled: (operation, status) => operations.push(`${operation} ${status}`),
      },
    });
    await limiter.check({ policy: "api", key: "warm" });
  });
  after(async () => {
    await limiter.close();
    await server.stop();
  });

  test("all checks of one turn are one script call, of at most 128 checks", async () => {
    await server.client.config("RESETSTAT");
    const ask = (key: string) => limiter.check({ policy: "api", key });
    await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`a${index}`)));
    assert.equal((await calls(server)).evalsha, 1);
    await Promise.all([ask("b"), limiter.check({ policy: "hourly", key: "b" }), ask("b")]);
    assert.equal((await calls(server)).evalsha, 2);
    await Promise.all(Array.from({ length: 300 }, (_, index) => ask(`c${index}`)));
    assert.equal((await calls(server)).evalsha, 5);
  });

  test("a hot key is read and written once a call", async () => {
    await limiter.reset({ policy: "api", key: "hot" });
    await server.client.config("RESETSTAT");
    const asks = Array.from({ length: 120 }, () => limiter.check({ policy: "api", key: "hot" }));
    const decisions = await Promise.all(asks);
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
    const seen = await calls(server);
    assert.deepEqual([seen.evalsha, seen.mget, seen.set], [1, 1, 1]);
  });

  test("keys are named with their version, and always expire", async () => {
    await limiter.check({ policy: "hourly", key: "a}b%", cost: 7 });
    await limiter.check({ policy: "api", key: "ttl", cost: 30 });
    const names = await server.client.keys("*");
    assert.ok(names.includes("tidegate:v1:{hourly:a%7Db%25}"), names.join("\n"));
    for (const name of names) {
      assert.match(name, /^tidegate:v1:\{(api|hourly):[^}]+\}(:past)?$/);
      const expiry = await server.client.pttl(name);
      assert.ok(
        expiry > 0 && expiry <= (name.endsWith(":past") ? 86_402_000 : 3_602_000),
        `${name} expires in ${expiry} ms`,
      );
    }
    const ttl = await server.client.pttl("tidegate:v1:{api:ttl}");
    assert.ok(ttl > 30_000 && ttl <= 32_000, "a second or two after its state is as if unused");
  });

  test("a key outlives its state, however it has moved, and its expiry moves only by whole seconds", async () => {
    const limit = tokenBucket({ capacity: 1_000, refill: "20/s" });
    const store = redisStore({ client: server.client, prefix: "expiry" });
    const fast = createLimiter({ store, policies: { fast: { limits: [limit] } } });
    await server.client.config("RESETSTAT");
    for (let step = 0; step < 100; step += 1) {
      const started = performance.now();
      const decision = await fast.check({ policy: "fast", key: "k", cost: 1 + (step % 3) });
      const ttl = await server.client.pttl("expiry:v1:{fast:k}");
      const elapsed = performance.now() - started;
      assert.ok(ttl > decision.resetAfterMs + 1_000 - elapsed, `${ttl} ms at step ${step}`);
      assert.ok(ttl <= decision.resetAfterMs + 2_000, `${ttl} ms at step ${step}`);
    }
    const seen = await calls(server);
    assert.equal(seen.set, 100);
    assert.ok(seen.pexpireat! >= 9 && seen.pexpireat! <= 12, `${seen.pexpireat} moves in 10 s`);
  });

  test("denials, looks and refusals write nothing", async () => {
    await limiter.check({ policy: "api", key: "full", cost: 100 });
    await server.client.config("RESETSTAT");
    for (const cost of [50, 99, 101, 0]) await limiter.check({ policy: "api", key: "full", cost });
    await limiter.peek({ policy: "hourly", key: "unknown" });
    const seen = await calls(server);
    assert.deepEqual([seen.set, seen.del, seen.unlink], [undefined, undefined, undefined]);
  });

  test("scripts that Redis has lost are sent again, and nothing is charged twice", async () => {
    operations.length = 0;
    await limiter.reset({ policy: "api", key: "s" });
    await server.client.script("FLUSH");
    const asks = Array.from({ length: 120 }, () => limiter.check({ policy: "api", key: "s" }));
    const decisions = await Promise.all(asks);
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
    assert.deepEqual(operations, ["evalsha ok", "evalsha error", "eval ok"]);
  });

  test("a value that is not ours counts as unused, and crashes nothing", async () => {
    const name = redisKey("tidegate", "api", "odd");
    const values = [
      "",
      "x",
      "|",
      "tb,1000000,1|",
      "tb,1000000,1|short",
      "zz,1|12345678901234567890",
    ];
    values.push("tb,0,0|0123456789abcdef", "fw,0|0123456789abcdef", `${"9".repeat(400)}|`);
    for (const value of values) {
      await server.client.set(name, value);
      const decision = await limiter.check({ policy: "api", key: "odd" });
      assert.equal(decision.remaining, 99, value);
    }
    await server.client.del(name);
    await server.client.rpush(name, "a list");
    assert.equal((await limiter.check({ policy: "api", key: "odd" })).remaining, 99);
    assert.equal((await limiter.check({ policy: "api", key: "odd" })).remaining, 98);
  });

  test("a script error reaches the caller as STORE_UNAVAILABLE, with its cause", async () => {
    await server.client.config("SET", "maxmemory", "1");
    await assert.rejects(limiter.check({ policy: "api", key: "oom" }), (error: unknown) => {
      assert.ok(error instanceof Error && error.cause instanceof Error);
      assert.match(error.message, /^Redis gave no answer: .*OOM/);
      return "code" in error && error.code === "STORE_UNAVAILABLE";
    });
    await server.client.config("SET", "maxmemory", "0");
    assert.equal((await limiter.check({ policy: "api", key: "oom" })).remaining, 99);
  });

  test("an aborted wait rejects at once, and the limiter goes on", async () => {
    const controller = new AbortController();
    const asked = limiter.check({ policy: "api", key: "abort" }, { signal: controller.signal });
    controller.abort();
    await assert.rejects(asked, { name: "AbortError" });
    assert.equal((await limiter.check({ policy: "api", key: "abort" })).allowed, true);
  });
});

test("a Redis that goes away rejects in a moment, and heals by itself", {
  skip: withoutRedis,
}, async () => {
  const first = await startRedis();
  const limiter = createLimiter({ store: bareStore(redisStore({ url: first.url })), policies });
  const ask = () => limiter.check({ policy: "api", key: "a" });
  assert.equal((await ask()).remaining, 99);
  await first.stop();
  await assert.rejects(ask(), { code: "STORE_UNAVAILABLE", transient: true });
  await assert.rejects(limiter.ping(), { code: "STORE_UNAVAILABLE" });
  await assert.rejects(limiter.reset({ policy: "api", key: "a" }), { code: "STORE_UNAVAILABLE" });
  const second = await startRedis({ port: first.port });
  assert.equal((await eventually(ask)).remaining, 99, "fresh, for the new Redis knows nothing");
  await limiter.close();
  await second.stop();
});

test("a limiter starts without its Redis", { skip: withoutRedis }, async () => {
  const limiter = createLimiter({
    store: bareStore(redisStore({ url: "redis://127.0.0.1:1" })),
    policies,
  });
  await assert.rejects(limiter.check({ policy: "api", key: "a" }), {
    code: "STORE_UNAVAILABLE",
    message: "Redis gave no answer: no connection (connect ECONNREFUSED 127.0.0.1:1)",
  });
  await limiter.close();
});

test("a call that was cut off is not sent again", { skip: withoutRedis }, async () => {
  const server = await startRedis();
  const limiter = createLimiter({ store: bareStore(redisStore({ url: server.url })), policies });
  const ask = () => limiter.check({ policy: "api", key: "a", cost: 10 });
  await ask();
  // Redis carries the check out once it wakes up; its answer finds the connection gone.
  process.kill(server.pid, "SIGSTOP");
  const asked = assert.rejects(ask(), { code: "STORE_UNAVAILABLE" });
  await asked;
  process.kill(server.pid, "SIGCONT");
  const decision = await eventually(() => limiter.peek({ policy: "api", key: "a", cost: 0 }));
  assert.ok(decision.remaining >= 80 && decision.remaining <= 81, `${decision.remaining} remain`);
  await limiter.close();
  await server.stop();
});

describe("Redis Cluster", { skip: withoutRedis }, () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startRedisCluster();
  });
  after(() => cluster.stop());

  test("our slots are the Cluster's", async () => {
    for (const key of ["a", "user:42", "ü}", "😀", "\ud800", "x".repeat(1_024)]) {
      const name = redisKey("tidegate", "api", key);
      const slot = await cluster.nodes[0]!.client.call("CLUSTER", "KEYSLOT", name);
      assert.equal(slotOf(name), slot, name);
    }
  });

  test("keys spread over the nodes, and a slot that moves is followed with its count", async () => {
    const limiter = createLimiter({ store: bareStore(redisStore({ url: cluster.url })), policies });
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`);
    await limiter.checkAll(keys.map((key) => ({ policy: "api", key, cost: 40 })));
    const sizes = await Promise.all(cluster.nodes.map(({ client }) => client.dbsize()));
    assert.ok(
      sizes.every((size) => size > 5),
      sizes.join(" "),
    );
    await moveSlot(cluster, slotOf(redisKey("tidegate", "api", "k0")));
    const decision = await limiter.check({ policy: "api", key: "k0", cost: 40 });
    assert.ok(decision.remaining >= 20 && decision.remaining <= 25, `${decision.remaining} remain`);
    await limiter.close();
  });

  test("an id that one slot has of another request is refused, and other slots give back", async () => {
    const limiter = createLimiter({ store: bareStore(redisStore({ url: cluster.url })), policies });
    const request = (key: string) => ({ policy: "api", key, cost: 40 });
    const left = async (key: string) =>
      (await limiter.peek({ ...request(key), cost: 0 })).remaining;
    const keys = ["x", "y", "z"];
    const slots = new Set(keys.map((key) => slotOf(redisKey("tidegate", "api", key))));
    assert.equal(slots.size, keys.length);
    await limiter.check({ ...request("y"), id: "order" });
    for (let time = 0; time < 3; time += 1) {
      await assert.rejects(limiter.checkEvery(keys.map(request), { id: "order" }), {
        code: "INVALID_REQUEST",
        field: "id",
      });
    }
    for (const key of ["x", "z"]) assert.ok((await left(key)) >= 100, `all of ${key} is back`);
    assert.ok((await left("y")) < 90, "the check before is charged");
    assert.equal((await limiter.settle({ ...request("y"), id: "order" }, 0)).settled, true);
    assert.equal((await limiter.checkEvery(keys.map(request), { id: "other" })).allowed, true);
    for (const key of keys) {
      await assert.rejects(limiter.check({ ...request(key), id: "other" }), { field: "id" });
      assert.equal((await limiter.settle({ ...request(key), id: "other" }, 0)).settled, false);
      assert.ok((await left(key)) < 90);
    }
    await limiter.close();
  });
});

/** Moves a slot with its keys to another node, as an operator would. */
async function moveSlot({ nodes }: RedisCluster, slot: number): Promise<void> {
  const ids = await Promise.all(nodes.map(({ client }) => client.call("CLUSTER", "MYID")));
  const counts = await Promise.all(
    nodes.map(({ client }) => client.call("CLUSTER", "COUNTKEYSINSLOT", String(slot))),
  );
  const from = counts.findIndex((count) => Number(count) > 0);
  const to = (from + 1) % nodes.length;
  const [source, target] = [nodes[from]!.client, nodes[to]!.client];
  const at = String(slot);
  await target.call("CLUSTER", "SETSLOT", at, "IMPORTING", String(ids[from]));
  await source.call("CLUSTER", "SETSLOT", at, "MIGRATING", String(ids[to]));
  const names = (await source.call("CLUSTER", "GETKEYSINSLOT", at, "100")) as string[];
  for (const name of names) {
    await source.call("MIGRATE", "127.0.0.1", String(nodes[to]!.port), name, "0", "5000");
  }
  for (const { client } of nodes)
    await client.call("CLUSTER", "SETSLOT", at, "NODE", String(ids[to]));
}

test("Sentinels lead to the master", { skip: withoutRedis }, async () => {
  const master = await startRedis();
  const directory = mkdtempSync(join(tmpdir(), "tidegate-sentinel-"));
  const configuration = `${directory}/sentinel.conf`;
  writeFileSync(configuration, `sentinel monitor main 127.0.0.1 ${master.port} 1\n`);
  const sentinel = await startRedis({ first: [configuration, "--sentinel"] });
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
  const limiter = createLimiter({ store: bareStore(redisStore({ url })), policies });
  const decision = await eventually(() => limiter.check({ policy: "api", key: "a" }));
  assert.equal(decision.remaining, 99);
  assert.equal(await master.client.dbsize(), 1);
  await limiter.close();
  await sentinel.stop();
  await master.stop();
  rmSync(directory, { recursive: true });
});

test("rediss:// speaks TLS and checks the certificate", { skip: withoutRedis }, async () => {
  const fixture = (name: string) => new URL(`../fixtures/tls/${name}`, import.meta.url).pathname;
  const tlsPort = await freePort();
  const certificate = fixture("certificate.pem");
  const tls = ["--tls-cert-file", certificate, "--tls-key-file", fixture("key.pem")];
  const server = await startRedis({
    args: ["--tls-port", String(tlsPort), ...tls, "--tls-auth-clients", "no"],
  });
  const source = `
    import { createLimiter, fixedWindow } from "tidegate";
    import { redisStore } from "tidegate/redis";
    const store = redisStore({ url: "rediss://localhost:${tlsPort}" });
    const policies = {
      api: { limits: [fixedWindow({ limit: 5, window: "1h" })], deadline: "1s" },
    };
    const limiter = createLimiter({ store, policies });
    const answer = await limiter.check({ policy: "api", key: "a" });
    console.log(answer.source === "store" ? answer.remaining : answer.source);
    await limiter.close();`;
  const run = async (environment: Record<string, string>) => {
    const args = ["--conditions=@tidegate/source", "--input-type=module", "--eval", source];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    await once(child, "exit");
    return output.trim();
  };
  assert.equal(await run({ NODE_EXTRA_CA_CERTS: certificate }), "4");
  assert.equal(await run({}), "fail-open");
  await server.stop();
});
