// A Redis that hangs, fails over, or cannot be reached, without what answers in its place: every call ends within its
// deadline, what waits is bounded, and what was given up is not carried out later. One server, a Cluster, Sentinels.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Redis } from "ioredis";
import { createClientPool, createSentinel } from "redis";
import { createLimiter, fixedWindow, type Limiter, type Telemetry } from "tidegate";
import { type RedisStoreOptions, redisStore } from "tidegate/redis";
import { redisKey, slotOf } from "../../packages/tidegate/src/stores/redis/key.ts";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import { heapUsed } from "../../packages/tidegate/test/support/heap-used.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import {
  type RedisServer,
  startRedis,
  startRedisCluster,
  withoutRedis,
} from "../support/redis-server.ts";

const options = { skip: withoutRedis };
const LIMIT = 1_000_000;
const limits = [fixedWindow({ limit: LIMIT, window: "24h" })];
const policies = { api: { limits, deadline: "1s" } };
/** A call may take one second, and the machine is shared. */
const DEADLINE_MS = 2_500;

const open = (store: RedisStoreOptions): Limiter =>
  createLimiter({ store: bareStore(redisStore(store)), policies });

/** Asserts that `work` rejects with STORE_UNAVAILABLE, or whatever else is expected, before `withinMs`. */
async function rejectsWithin(work: Promise<unknown>, message: RegExp, withinMs = DEADLINE_MS) {
  const started = performance.now();
  await assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, "STORE_UNAVAILABLE", String(error));
    assert.match(error.message, message);
    return true;
  });
  assertWithin(started, withinMs);
}

function assertWithin(started: number, withinMs = DEADLINE_MS): void {
  const took = performance.now() - started;
  assert.ok(took < withinMs, `it took ${took} ms of ${withinMs}`);
}

async function closesInTime(limiter: Limiter): Promise<void> {
  const started = performance.now();
  await limiter.close();
  assertWithin(started);
}

const check = (limiter: Limiter, key = "a", cost = 1) =>
  limiter.check({ policy: "api", key, cost });

/** A port that leads to one server and then to another, as a name does when DNS changes. */
async function startForwarder(target: number) {
  let port = target;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const other = connect(port, "127.0.0.1");
    for (const end of [socket, other]) {
      sockets.add(end);
      end.on("error", () => {});
      end.on("close", () => {
        sockets.delete(end);
        socket.destroy();
        other.destroy();
      });
    }
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return {
    url: `redis://127.0.0.1:${address.port}`,
    leadTo: (next: number) => {
      port = next;
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function startSentinel(master: RedisServer) {
  const directory = mkdtempSync(join(tmpdir(), "tidegate-sentinel-"));
  const configuration = `${directory}/sentinel.conf`;
  writeFileSync(configuration, `sentinel monitor main 127.0.0.1 ${master.port} 1\n`);
  const server = await startRedis({ first: [configuration, "--sentinel"] });
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  };
  return { port: server.port, url: `redis+sentinel://127.0.0.1:${server.port}/main`, stop };
}

describe("a Redis that cannot be reached", options, () => {
  for (const kind of ["redis://", "redis+cluster://", "redis+sentinel://"]) {
    test(`${kind} rejects in time, and closes in time`, async () => {
      const name = kind === "redis+sentinel://" ? "/main" : "";
      const limiter = open({ url: `${kind}127.0.0.1:${await freePort()}${name}` });
      const asked = [check(limiter), limiter.ping(), limiter.reset({ policy: "api", key: "a" })];
      await Promise.all(asked.map((work) => rejectsWithin(work, /no connection \(/)));
      const late = rejectsWithin(check(limiter), /no connection/);
      await closesInTime(limiter);
      await late;
    });
  }
});

describe("a Redis that hangs", options, () => {
  test("under load: rejects in time, holds no more, and carries little of it out later", async () => {
    const server = await startRedis();
    const limiter = open({ url: server.url });
    await check(limiter);
    process.kill(server.pid, "SIGSTOP");
    // Once to fill what is kept for reuse, and once more to see whether it grows: 60,000 checks took 13 MB.
    const first = await load(limiter, { perSecond: 30_000, forMs: 1_000 });
    const before = heapUsed();
    const second = await load(limiter, { perSecond: 30_000, forMs: 2_000 });
    // The test runner itself notes every promise, and forgets those that are gone a little later.
    await eventually(() => {
      const grown = heapUsed() - before;
      assert.ok(grown < 6e6, `the heap grew by ${grown} bytes`);
    }, 5_000);
    process.kill(server.pid, "SIGCONT");
    // Redis has read what the connections that were ended still held.
    await eventually(async () => {
      assert.match(await server.client.info("clients"), /connected_clients:[12]\r/);
    });
    const { remaining } = await eventually(() =>
      limiter.peek({ policy: "api", key: "a", cost: 0 }),
    );
    const charged = LIMIT - 1 - remaining;
    const asked = first.asked + second.asked;
    const slowestMs = Math.max(first.slowestMs, second.slowestMs);
    assert.ok(slowestMs < DEADLINE_MS, `${slowestMs} ms`);
    assert.ok(charged < asked / 2, `${charged} of ${asked} were charged`);
    await limiter.close();
    await server.stop();
  });

  test("checks beyond 100,000 waiting ones are refused at once", async () => {
    const server = await startRedis();
    const limiter = open({ url: server.url });
    await check(limiter);
    process.kill(server.pid, "SIGSTOP");
    const waiting = Array.from({ length: 100_000 }, () => check(limiter).catch(codeOf));
    await rejectsWithin(check(limiter), /100000 checks wait for one already/, 100);
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["STORE_UNAVAILABLE"]));
    process.kill(server.pid, "SIGCONT");
    assert.equal((await eventually(() => check(limiter))).allowed, true);
    await limiter.close();
    await server.stop();
  });

  test("a limiter that starts on it rejects and closes in time", async () => {
    const server = await startRedis();
    process.kill(server.pid, "SIGSTOP");
    const limiter = open({ url: server.url });
    await rejectsWithin(check(limiter), /no connection (within 1000 ms|\(silent for 500 ms)/);
    const late = rejectsWithin(check(limiter), /no (connection|answer)/);
    await closesInTime(limiter);
    await late;
    process.kill(server.pid, "SIGCONT");
    assert.equal(await eventually(() => server.client.dbsize()), 0);
    await server.stop();
  });

  test("one of a Cluster: its keys reject in time, the others are decided, and it heals", async () => {
    const cluster = await startRedisCluster();
    const [hung] = cluster.nodes;
    const fresh = open({ url: cluster.url });
    const limiter = open({ url: cluster.url });
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => check(limiter, key)));
    const third = keys.find((key) => slotOf(redisKey("tidegate", "api", key)) < 5_461)!;
    const other = keys.find((key) => slotOf(redisKey("tidegate", "api", key)) > 10_923)!;
    process.kill(hung!.pid, "SIGSTOP");
    await rejectsWithin(check(limiter, third), /no (answer|connection)/);
    assert.equal((await check(limiter, other)).allowed, true);
    // The connection to it was ended, so the 1,000 wait for one that comes too late; the other limiter may have one.
    await Promise.all([
      rejectsWithin(check(limiter, third, 1_000), /no (answer|connection)/),
      rejectsWithin(check(fresh, third), /no (answer|connection)/),
    ]);
    await closesInTime(fresh);
    process.kill(hung!.pid, "SIGCONT");
    const { remaining } = await eventually(() => check(limiter, third));
    assert.ok(remaining >= LIMIT - 4, `${LIMIT - remaining} taken: what was given up was sent`);
    await closesInTime(limiter);
    await cluster.stop();
  });

  test("a master behind Sentinels: rejects in time, and heals", async () => {
    const master = await startRedis();
    const sentinel = await startSentinel(master);
    const limiter = open({ url: sentinel.url });
    await eventually(() => check(limiter));
    process.kill(master.pid, "SIGSTOP");
    await rejectsWithin(check(limiter), /no answer within 1000 ms|no connection/);
    process.kill(master.pid, "SIGCONT");
    assert.ok((await eventually(() => check(limiter))).remaining >= LIMIT - 3);
    await closesInTime(limiter);
    await sentinel.stop();
    await master.stop();
  });

  test("an application's client that never answers does not keep close() waiting", async () => {
    const server = await startRedis();
    const client = new Redis(server.url);
    const limiter = open({ client });
    await check(limiter);
    process.kill(server.pid, "SIGSTOP");
    const asked = check(limiter).catch(codeOf);
    await closesInTime(limiter);
    client.disconnect();
    process.kill(server.pid, "SIGCONT");
    await asked;
    await server.stop();
  });
});

const codeOf = (error: { code?: string }) => error.code;

/** Checks at a steady rate, whether answered or not, and waits for all. */
async function load(limiter: Limiter, rate: { perSecond: number; forMs: number }) {
  const started = performance.now();
  let asked = 0;
  let waiting = 0;
  let slowestMs = 0;
  for (;;) {
    const now = performance.now();
    if (now - started > rate.forMs && waiting === 0) return { asked, slowestMs };
    const due = now - started > rate.forMs ? asked : ((now - started) * rate.perSecond) / 1_000;
    for (; asked < due; asked += 1) {
      waiting += 1;
      const settle = () => {
        waiting -= 1;
        slowestMs = Math.max(slowestMs, performance.now() - now);
      };
      check(limiter).then(settle, settle);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a replica", options, () => {
  test("is not ready, and after a failover by name the connection follows", async () => {
    const [first, second] = await Promise.all([startRedis(), startRedis()]);
    const name = await startForwarder(first.port);
    const limiter = open({ url: name.url });
    await first.client.call("REPLICAOF", "127.0.0.1", String(second.port));
    await rejectsWithin(limiter.ping(), /READONLY/);
    name.leadTo(second.port);
    await eventually(() => limiter.ping());
    await limiter.close();
    name.stop();
    await Promise.all([first.stop(), second.stop()]);
  });

  test("a check that it refuses is not sent again to the new master", async () => {
    const [first, second] = await Promise.all([startRedis(), startRedis()]);
    const name = await startForwarder(first.port);
    const limiter = open({ url: name.url });
    await limiter.ping();
    await first.client.call("REPLICAOF", "127.0.0.1", String(second.port));
    name.leadTo(second.port);
    await rejectsWithin(check(limiter), /READONLY/);
    const { remaining } = await eventually(() => check(limiter));
    assert.equal(remaining, LIMIT - 1);
    await limiter.close();
    name.stop();
    await Promise.all([first.stop(), second.stop()]);
  });
});

describe("order", options, () => {
  test("a reset comes after the checks before it and before those after it, also without scripts", async () => {
    const server = await startRedis();
    const limiter = open({ url: server.url });
    await limiter.ping();
    await server.client.script("FLUSH");
    await assertOrder(limiter, 1);
    await limiter.close();
    await server.stop();
  });

  test("a reset is in order over the connections of a pool", async () => {
    const server = await startRedis();
    const client = createClientPool({ url: server.url }, { minimum: 4 });
    await client.connect();
    const limiter = open({ client });
    await assertOrder(limiter, 20);
    await limiter.close();
    client.destroy();
    await server.stop();
  });

  async function assertOrder(limiter: Limiter, rounds: number): Promise<void> {
    const reset = () => limiter.reset({ policy: "api", key: "a" });
    for (let round = 0; round < rounds; round += 1) {
      const [first, , second, , third] = await Promise.all([
        check(limiter, "a", LIMIT),
        reset(),
        check(limiter, "a", LIMIT),
        reset(),
        check(limiter, "a", 1),
      ]);
      assert.deepEqual([first.allowed, second.allowed, third.remaining], [true, true, LIMIT - 1]);
      await reset();
    }
  }
});

describe("a store", options, () => {
  test("of its own connection says that it was closed; one with a client opens again", async () => {
    const server = await startRedis();
    const store = redisStore({ url: server.url });
    await createLimiter({ store, policies }).close();
    assert.throws(() => createLimiter({ store, policies }), {
      code: "INVALID_OPTION",
      field: "store",
      message: /closed with its last limiter; create one with redisStore\(\)/,
    });
    const kept = redisStore({ client: server.client });
    await createLimiter({ store: kept, policies }).close();
    const limiter = createLimiter({ store: kept, policies });
    await check(limiter).finally(() => limiter.close());
    await server.stop();
  });

  test("tells the telemetry of all its limiters, once each, until they close", async () => {
    const server = await startRedis();
    const store = redisStore({ client: server.client });
    const told: string[] = [];
    const telemetry = (name: string): Telemetry => ({ storeCalled: () => told.push(name) });
    const shared = telemetry("shared");
    const first = createLimiter({ store, policies, telemetry: telemetry("first") });
    const second = createLimiter({ store, policies, telemetry: shared });
    const third = createLimiter({ store, policies, telemetry: shared });
    await first.ping();
    await first.close();
    await second.ping();
    await second.close();
    await third.ping();
    assert.deepEqual(told, ["first", "shared", "shared", "shared"]);
    await third.close();
    await server.stop();
  });

  test("of one server says what to change where it is a node of a Cluster", async () => {
    const cluster = await startRedisCluster();
    const limiters = cluster.nodes.map((node) => open({ url: node.url }));
    const asked = limiters.map((limiter) => check(limiter).catch((error: Error) => error.message));
    const said = (await Promise.all(asked)).filter((answer) => typeof answer === "string");
    assert.equal(said.length, 2);
    const both = open({ url: cluster.nodes[0]!.url });
    const keys = ["a", "b", "c"].map((key) => ({ policy: "api", key }));
    said.push(await both.checkAll(keys).then(String, (error: Error) => error.message));
    for (const message of said) {
      assert.match(
        message,
        /use a redis\+cluster:\/\/ URL or a client of a Cluster \((MOVED|CROSSSLOT)/,
      );
    }
    await Promise.all([...limiters, both].map((limiter) => limiter.close()));
    await cluster.stop();
  });

  test("takes a Sentinel client of redis", async () => {
    const master = await startRedis();
    const sentinel = await startSentinel(master);
    const sentinelRootNodes = [{ host: "127.0.0.1", port: sentinel.port }];
    const client = createSentinel({ name: "main", sentinelRootNodes });
    client.on("error", () => {});
    await eventually(() => client.connect());
    const limiter = open({ client });
    assert.equal((await check(limiter)).remaining, LIMIT - 1);
    await limiter.close();
    await client.close();
    await sentinel.stop();
    await master.stop();
  });
});
