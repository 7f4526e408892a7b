// A service as a file configures it, through its doors and down to its metrics: what only the whole shows.

import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { type RedisServer, startRedis, withoutRedis } from "../../../test/support/redis-server.ts";
import { accepted, load } from "./config/support.ts";
import {
  createHttpClient,
  type HttpAnswer,
  startTestService,
  withDefaults,
} from "./service-support.ts";

const FILE = `
defaultPolicy: api
policies:
  api:
    limits:
      - { algorithm: fixed-window, limit: 10, window: 36500d }
    overrides:
      - key: "vip:*"
        limits:
          - { algorithm: sliding-log, limit: 100, window: 1h, name: vip }
      - { key: root, unlimited: true }
      - { key: mallory, blocked: true }
      - { key: eve, blocked: true, until: 2000-01-01T00:00:00Z }
  softly:
    limits:
      - { algorithm: fixed-window, limit: 1, window: 36500d, soft: true, name: plan }
      - { algorithm: fixed-window, limit: 3, window: 36500d, name: hard }
  trial:
    shadow: true
    nearLimit: 50%
    limits:
      - { algorithm: calendar-window, limit: 2, per: month, timeZone: Europe/Berlin }
  mail:
    limits:
      - { algorithm: leaky-bucket, rate: 1/1h, queue: 2 }
  jobs:
    limits:
      - { algorithm: concurrency, limit: 2, lease: 1h }
`;

async function startFromFile(context: TestContext, store: string) {
  const { policies, defaultPolicy } = accepted(await load(FILE));
  const settings = { policies, defaultPolicy: defaultPolicy!, store };
  const started = await startTestService(context, settings);
  type Answer = Record<string, unknown> & Pick<HttpAnswer, "headers">;
  const post = async (path: string, body: object): Promise<Answer> => {
    const answer = await started.http("POST", `/v1/${path}`, body);
    assert.equal(answer.status, 200, answer.text);
    return { ...(answer.json as object), headers: answer.headers };
  };
  const admin = createHttpClient(started.service.addresses.admin.port);
  const metric = async (series: string) => {
    const { text } = await admin("GET", "/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  return { ...started, post, metric };
}

for (const source of ["local", "store"] as const) {
  const inRedis = source === "store";
  describe(inRedis ? "in Redis" : "in memory", { skip: inRedis && withoutRedis }, () => {
    let redis: RedisServer | undefined;
    before(async () => {
      if (inRedis) redis = await startRedis();
    });
    after(() => redis?.stop());
    const start = async (context: TestContext) => {
      await redis?.client.flushall();
      return startFromFile(context, redis?.url ?? "memory");
    };

    test("the default policy answers for whom no policy, or an unknown one, is named", async (context) => {
      const { post, grpc, metric } = await start(context);
      const unnamed = await post("check", { key: "a" });
      assert.deepEqual([unnamed.policy, unnamed.remaining], ["api", 9]);
      const unknown = await post("check", { policy: "nope", key: "a" });
      assert.deepEqual([unknown.policy, unknown.remaining], ["api", 8]);
      const overGrpc = withDefaults(await grpc.call("CheckLimit", { key: "a" }));
      assert.deepEqual([overGrpc.policy, overGrpc.remaining], ["api", 7]);
      const series = `rate_limiter_request_total{policy="api",allowed="true",source="${source}"}`;
      assert.equal(await metric(series), 3);
    });

    test("an override decides by its own limits, and says them in the headers", async (context) => {
      const { post, metric } = await start(context);
      const vip = await post("check", { key: "vip:1" });
      assert.deepEqual([vip.limitName, vip.limit, vip.remaining], ["vip", 100, 99]);
      assert.equal(vip.headers["ratelimit-policy"], '"vip";q=100;w=3600');
      const root = await post("check", { key: "root", cost: 1_000 });
      assert.deepEqual([root.allowed, root.limitName], [true, "unlimited"]);
      const mallory = await post("check", { key: "mallory" });
      assert.deepEqual(
        [mallory.allowed, mallory.limitName, mallory.retryAfterMs],
        [false, "blocked", null],
      );
      assert.equal(mallory.headers["retry-after"], undefined);
      const eve = await post("check", { key: "eve" });
      assert.equal(eve.allowed, true, "her block has ended");
      assert.equal(await metric('rate_limiter_hits_total{policy="api"}'), 1);
    });

    test("soft limits flag, shadows admit, and both are counted", async (context) => {
      const { post, grpc, metric } = await start(context);
      const softly = { policy: "softly", key: "a" };
      const flags: unknown[] = [];
      for (let times = 0; times < 4; times += 1) {
        const { allowed, soft } = await post("check", softly);
        flags.push([allowed, soft]);
      }
      assert.deepEqual(flags, [
        [true, false],
        [true, true],
        [true, true],
        [false, false],
      ]);
      const trial = { policy: "trial", key: "a", cost: 2 };
      assert.equal((await post("check", trial)).nearLimit, true);
      const denied = withDefaults(await grpc.call("CheckLimit", trial));
      assert.deepEqual([denied.allowed, denied.shadow, denied.near_limit], [true, true, true]);
      const counts = {
        'rate_limiter_soft_limited_total{policy="softly"}': 2,
        'rate_limiter_soft_limited_total{policy="api"}': undefined,
        'rate_limiter_shadow_denied_total{policy="trial"}': 1,
        'rate_limiter_shadow_denied_total{policy="api"}': undefined,
        'rate_limiter_near_limit_total{policy="trial"}': 2,
        'rate_limiter_near_limit_total{policy="mail"}': 0,
        'rate_limiter_hits_total{policy="softly"}': 1,
        'rate_limiter_hits_total{policy="trial"}': 0,
        [`rate_limiter_request_total{policy="trial",allowed="true",source="${source}"}`]: 2,
      };
      for (const [series, count] of Object.entries(counts)) {
        assert.equal(await metric(series), count, series);
      }
    });

    test("who queues is told how long to wait", async (context) => {
      const { post } = await start(context);
      const mail = { policy: "mail", key: "a" };
      assert.equal((await post("check", mail)).delayMs, 0);
      for (const hours of [1, 2]) {
        const { allowed, delayMs } = await post("check", mail);
        assert.equal(allowed, true);
        assert.ok(Math.abs((delayMs as number) - hours * 3_600_000) < 60_000, `${delayMs}`);
      }
      const full = await post("check", mail);
      assert.deepEqual([full.allowed, full.delayMs], [false, 0]);
    });

    test("a request that is repeated under its id is charged once, over either door", async (context) => {
      const { post, grpc } = await start(context);
      const request = { policy: "api", key: "a", cost: 3, id: "request-1" };
      assert.equal((await post("check", request)).remaining, 7);
      assert.equal((await post("check", request)).remaining, 7);
      assert.equal(withDefaults(await grpc.call("CheckLimit", request)).remaining, 7);
      assert.equal((await post("check", { ...request, id: "request-2" })).remaining, 4);
    });

    test("what one door reserves or acquires, the other settles or releases", async (context) => {
      const { post, grpc } = await start(context);
      const api = { policy: "api", key: "a" };
      const reservation = await post("reserve", { ...api, cost: 8, ttl: "30s" });
      assert.deepEqual([reservation.cost, reservation.ttlMs], [8, 30_000]);
      const settled = await grpc.call("Settle", { ...api, id: reservation.id, actual: 3 });
      assert.equal(settled.settled, true);
      assert.equal((settled.decision as { remaining: number }).remaining, 7);
      const again = await post("settle", { ...api, id: reservation.id, actual: 3 });
      assert.equal(again.remaining, 7, "settling again changes nothing");
      const refunded = await post("refund", { ...api, cost: 100 });
      assert.equal(refunded.remaining, 10, "never more than were taken");
      const denied = await grpc.call("Reserve", { ...api, cost: 11 });
      assert.deepEqual(Object.keys(denied), ["decision"]);

      const jobs = { policy: "jobs", key: "a" };
      const permit = await grpc.call("Acquire", jobs);
      assert.equal(permit.lease_ms, 3_600_000);
      await grpc.call("Acquire", jobs);
      const full = await post("acquire", jobs);
      assert.deepEqual([full.allowed, "id" in full], [false, false]);
      assert.equal((await post("extend", { ...jobs, id: permit.id })).extended, true);
      assert.equal((await post("release", { ...jobs, id: permit.id })).released, true);
      assert.deepEqual(await grpc.call("Release", { ...jobs, id: permit.id }), {});
      assert.equal((await post("acquire", jobs)).allowed, true);
    });

    test("several are decided as one, across policies and keys", async (context) => {
      const { post, grpc } = await start(context);
      const requests = [
        { policy: "api", key: "a", cost: 4 },
        { policy: "softly", key: "b", cost: 2 },
      ];
      assert.equal((await post("check-every", { requests })).allowed, true);
      const denied = await grpc.call("CheckEvery", { requests });
      const { decision } = denied as { decision: Record<string, unknown> };
      assert.deepEqual(
        [decision.policy, decision.key, decision.limit_name],
        ["softly", "b", "hard"],
      );
      const left = await post("check", { policy: "api", key: "a", cost: 0 });
      assert.equal(left.remaining, 6, "the denial took nothing");
    });

    test("what the calls refuse is the caller's fault, and names the field", async (context) => {
      const { http, grpc } = await start(context);
      const api = { policy: "api", key: "a" };
      const cases: readonly (readonly [string, object, string])[] = [
        ["check", { policy: "jobs", key: "a" }, "policy"],
        ["acquire", api, "policy"],
        ["check", { ...api, id: "" }, "id"],
        ["check", { ...api, id: "i".repeat(129) }, "id"],
        ["reserve", { ...api, ttl: "2d" }, "ttl"],
        ["reserve", { ...api, ttl: "soon" }, "ttl"],
        ["settle", { ...api, id: "", actual: 1 }, "id"],
        ["settle", { ...api, id: "i", actual: -1 }, "actual"],
        ["settle", { ...api, id: "i", actual: 1_000_000_001 }, "actual"],
        ["refund", { ...api, cost: -1 }, "cost"],
        ["release", { policy: "jobs", key: "", id: "i" }, "key"],
        ["extend", { policy: "jobs", key: "a", id: "" }, "id"],
        ["check-every", { requests: [] }, "requests"],
        ["check-every", { requests: [api, { ...api, cost: -1 }] }, "requests[1].cost"],
      ];
      for (const [path, body, field] of cases) {
        const answer = await http("POST", `/v1/${path}`, body);
        const problem = answer.json as { field: string; detail: string };
        const what = `${path} ${JSON.stringify(body).slice(0, 80)}: ${answer.text}`;
        assert.deepEqual([answer.status, problem.field], [400, field], what);
        assert.ok(problem.detail.startsWith(field), what);
      }
      await assert.rejects(grpc.call("Reserve", { ...api, ttl_ms: -1 }), {
        code: 3,
        details: /^ttl_ms must be a duration/,
      });
      await assert.rejects(grpc.call("Extend", api), { code: 3, details: /^id must be/ });
      await assert.rejects(grpc.call("CheckEvery", {}), { code: 3, details: /^requests must be/ });
    });
  });
}
