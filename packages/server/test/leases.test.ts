// Services that share a Redis under "hybrid", as processes: what they admit together and how seldom they ask, what a
// look says, and what becomes of leases where a service stops or is killed.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, type TestContext, test } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import { type RedisServer, startRedis, withoutRedis } from "../../../test/support/redis-server.ts";
import { startTidegate } from "../../../test/support/tidegate-process.ts";
import { createGrpcClient, createHttpClient } from "./service-support.ts";

/** A century is a window that no test sees the end of. */
const LIMITS = `
coordination: hybrid
policies:
  bucket: { deadline: 1s, limits: [{ algorithm: token-bucket, capacity: 3000, refill: 500/s }] }
  plan: { deadline: 1s, limits: [{ algorithm: fixed-window, limit: 3000, window: 36500d }] }
  blink: { deadline: 1s, limits: [{ algorithm: fixed-window, limit: 3000, window: 200ms }] }
`;
/** Leases last 20 s here, so that what a node holds it still holds when it is looked at. */
const LONG_LEASES = `
policies:
  plan:
    coordination: hybrid
    syncInterval: 10s
    deadline: 1s
    limits: [{ algorithm: fixed-window, limit: 1000, window: 36500d }]
  window:
    coordination: hybrid
    syncInterval: 10s
    deadline: 1s
    limits: [{ algorithm: fixed-window, limit: 1000, window: 3s }]
  bucket:
    coordination: hybrid
    syncInterval: 10s
    deadline: 1s
    limits: [{ algorithm: token-bucket, capacity: 1000, refill: 100/s }]
`;

interface Answer {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly source: string;
  readonly retryAfterMs: number | null;
}

/** Starts a service process, and what asks it. */
async function start(context: TestContext, redis: RedisServer, file: string) {
  const service = await startTidegate(`store: ${redis.url}\n${file}`);
  const http = createHttpClient(service.httpPort);
  const admin = createHttpClient(service.adminPort);
  const grpc = createGrpcClient(service.grpcPort);
  context.after(async () => {
    grpc.close();
    await service.stop();
  });
  const check = async (policy: string, cost = 1) => {
    const { json } = await http("POST", "/v1/check", { policy, key: "a", cost });
    return json as Answer;
  };
  const status = async (policy: string) => {
    return (await http("GET", `/v1/status?policy=${policy}&key=a`)).json as Answer;
  };
  const metric = async (series: string) => {
    const { text } = await admin("GET", "/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  const held = async (policy: string) => {
    return (await metric(`rate_limiter_lease_held_units{policy="${policy}"}`))!;
  };
  const units = (policy: string, event: string) => {
    return metric(`rate_limiter_lease_units_total{policy="${policy}",event="${event}"}`);
  };
  return { service, http, grpc, check, status, metric, held, units };
}

type Node = Awaited<ReturnType<typeof start>>;

const LOAD_MS = 3_000;
const BATCH = 50;

/** Asks for one key of each policy for a while, over HTTP and gRPC, one by one and in batches. */
async function load(node: Node, endMs: number, count: (policy: string, allowed: boolean) => void) {
  const requests = ["bucket", "plan"].flatMap((policy) => {
    return Array.from({ length: BATCH / 2 }, () => ({ policy, key: "a" }));
  });
  const each = async (ask: () => Promise<readonly { policy: string; allowed?: boolean }[]>) => {
    while (performance.now() < endMs) {
      for (const { policy, allowed = false } of await ask()) count(policy, allowed);
    }
  };
  type Decisions = { readonly decisions: { policy: string; allowed: boolean }[] };
  await Promise.all([
    each(async () => {
      return ((await node.http("POST", "/v1/check-all", { requests })).json as Decisions).decisions;
    }),
    each(async () => {
      return (await node.grpc.call("CheckLimits", { requests })).decisions as never;
    }),
    each(async () => [(await node.grpc.call("CheckLimit", requests[0]!)) as never]),
  ]);
}

/** Script calls that Redis has been asked for. */
async function scriptCalls({ client }: RedisServer): Promise<number> {
  const text = await client.info("commandstats");
  const counts = [...text.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)];
  return counts.reduce((sum, [, calls]) => sum + Number(calls), 0);
}

describe("services that spend leases", { skip: withoutRedis }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());
  beforeEach(() => redis.client.flushall());

  test("under load, two together keep the limit, waste little of it, and hardly ask", async (context) => {
    const nodes = [await start(context, redis, LIMITS), await start(context, redis, LIMITS)];
    const callsBefore = await scriptCalls(redis);
    const admitted: Record<string, number> = { bucket: 0, plan: 0 };
    let decided = 0;
    let firstMs = Number.POSITIVE_INFINITY;
    const startMs = performance.now();
    const count = (policy: string, allowed: boolean) => {
      firstMs = Math.min(firstMs, performance.now());
      decided += 1;
      if (allowed) admitted[policy]! += 1;
    };
    await Promise.all(nodes.map((node) => load(node, startMs + LOAD_MS, count)));
    const endMs = performance.now();
    const calls = (await scriptCalls(redis)) - callsBefore;
    const said = `${JSON.stringify(admitted)} of ${decided} admitted, ${calls} calls`;
    context.diagnostic(said);
    const most = 3_000 + Math.ceil((endMs - startMs) / 2);
    const least = 3_000 + Math.floor((startMs + LOAD_MS - firstMs) / 2);
    assert.ok(decided > 2 * most, `it is no load above the limit: ${said}`);
    assert.ok(admitted.bucket! <= most, `${most} at most: ${said}`);
    assert.ok(admitted.bucket! >= 0.95 * least, `95 % of ${least} at least: ${said}`);
    assert.ok(admitted.plan! <= 3_000, said);
    assert.ok(admitted.plan! >= 0.95 * 3_000, said);
    assert.ok(calls <= 0.05 * decided, said);

    // The books of all metrics, one beside the other.
    let all = 0;
    let waits = 0;
    for (const { metric, units } of nodes) {
      for (const policy of ["bucket", "plan"]) {
        for (const allowed of [true, false]) {
          const labels = `policy="${policy}",allowed="${allowed}",source="lease"`;
          all += (await metric(`rate_limiter_request_total{${labels}}`))!;
        }
        waits += (await metric(`rate_limiter_lease_waits_total{policy="${policy}"}`))!;
        assert.ok((await units(policy, "granted"))! > 0);
      }
    }
    assert.equal(all, decided, "each was decided by a lease");
    assert.ok(waits > 0 && waits < 0.05 * decided, `${waits} waited`);
  });

  test("a look takes nothing, and adds what the node holds to what Redis has", async (context) => {
    const [one, other] = [
      await start(context, redis, LONG_LEASES),
      await start(context, redis, LONG_LEASES),
    ];
    for (const node of [one, other]) {
      for (const event of ["granted", "returned", "expired"]) {
        const series = `rate_limiter_lease_events_total{policy="plan",event="${event}"}`;
        assert.equal(await node.metric(series), 0, "a series from the start");
        assert.equal(await node.units("plan", event), 0);
      }
      assert.equal(await node.held("plan"), 0);
      assert.equal(await node.metric('rate_limiter_lease_waits_total{policy="plan"}'), 0);
    }
    const { allowed, source } = await one.check("plan", 7);
    assert.deepEqual([allowed, source], [true, "lease"]);
    const held = await one.held("plan");
    assert.ok(held > 0, `${held}`);
    assert.equal(await one.units("plan", "granted"), held + 7);
    for (let times = 0; times < 2; times += 1) {
      assert.equal((await one.status("plan")).remaining, 993);
      assert.equal((await other.status("plan")).remaining, 993 - held);
    }
    const looked = await one.grpc.call("GetStatus", { policy: "plan", key: "a" });
    assert.deepEqual([looked.allowed, looked.remaining, looked.source], [true, 993, "store"]);
    assert.equal(await one.held("plan"), held);
    const spent = await one.grpc.call("CheckLimit", { policy: "plan", key: "a", cost: held });
    assert.deepEqual([spent.allowed, spent.source], [true, "lease"]);
    // A lease that is on its way is neither in Redis nor in hand.
    await eventually(async () => {
      assert.equal((await one.status("plan")).remaining, 993 - held);
    });
  });

  test("what is not spent is given back, or expires where its window has ended", async (context) => {
    const { check, status, held, units } = await start(context, redis, LIMITS);
    for (const [policy, event, other] of [
      ["plan", "returned", "expired"],
      ["blink", "expired", "returned"],
    ] as const) {
      assert.ok((await check(policy)).allowed);
      const granted = (await units(policy, "granted"))!;
      assert.ok(granted > 1, `${granted}`);
      await eventually(async () => {
        assert.deepEqual([await held(policy), await units(policy, event)], [0, granted - 1]);
      });
      assert.equal(await units(policy, other), 0);
      assert.equal(await units(policy, "granted"), granted);
    }
    assert.equal((await status("plan")).remaining, 2_999);
  });

  test("a service that stops gives its leases back, and another one has them", async (context) => {
    const [one, other] = [
      await start(context, redis, LONG_LEASES),
      await start(context, redis, LONG_LEASES),
    ];
    assert.ok((await one.check("plan")).allowed);
    const held = await one.held("plan");
    assert.ok(held > 0);
    assert.equal((await other.status("plan")).remaining, 999 - held);
    one.grpc.close();
    await one.service.drain();
    assert.equal((await other.status("plan")).remaining, 999);
    assert.ok((await other.check("plan", 999)).allowed);
    assert.ok(!(await other.check("plan")).allowed);
  });

  test("of one that is killed, what it held is lost until the limit returns it; the other goes on", async (context) => {
    const [one, other] = [
      await start(context, redis, LONG_LEASES),
      await start(context, redis, LONG_LEASES),
    ];
    for (const policy of ["plan", "window", "bucket"]) {
      assert.ok((await one.check(policy)).allowed, policy);
    }
    const held = await one.held("plan");
    assert.ok(held > 0 && (await one.held("bucket")) > 0);
    await one.service.stop();
    const left = 999 - held;
    assert.equal((await other.status("plan")).remaining, left);
    const went = await other.check("plan", left);
    assert.deepEqual([went.allowed, went.source], [true, "lease"]);
    assert.ok(!(await other.check("plan")).allowed, "what was held is lost, and nothing is over");
    for (const policy of ["window", "bucket"]) {
      await eventually(async () => {
        assert.equal((await other.status(policy)).remaining, 1_000, policy);
      });
      assert.ok((await other.check(policy, 1_000)).allowed, policy);
    }
  });
});
