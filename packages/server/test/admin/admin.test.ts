import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, memoryStore } from "tidegate";
import { createRegistry } from "../../src/telemetry/metrics.ts";
import { type PolicyFacts, ServiceTelemetry } from "../../src/telemetry/service-telemetry.ts";
import { StoreCircuits } from "../../src/telemetry/store-circuits.ts";
import {
  createHttpClient,
  createManualStore,
  decisionWith,
  startTestService,
  until,
} from "../service-support.ts";

const LOCAL: PolicyFacts = {
  source: "local",
  soft: false,
  shadow: false,
  onStoreFailure: "allow",
  lends: false,
};

/** Reads the text format: each series, as it is written, with its value. */
function parse(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match !== null) series.set(match[1]!, Number(match[2]));
  }
  return series;
}

test("metrics count what was asked, exactly", async (context) => {
  const { service, http, grpc } = await startTestService(context);
  const admin = createHttpClient(service.addresses.admin.port);
  for (const key of ["a", "a", "a", "b"]) {
    await http("POST", "/v1/check", { policy: "login", key });
  }
  await grpc.call("CheckLimit", { policy: "api", key: "c", cost: 97 });
  await grpc.call("CheckLimits", {
    requests: [
      { policy: "api", key: "c", cost: 2 },
      { policy: "api", key: "c", cost: 2 },
    ],
  });
  await grpc.call("GetStatus", { policy: "api", key: "d" });
  await http("GET", "/v1/status?policy=api&key=d");
  await http("POST", "/v1/check", { policy: "nope", key: "e" });
  const answer = await admin("GET", "/metrics");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  const series = parse(answer.text);
  const expected = {
    'rate_limiter_request_total{policy="login",allowed="true",source="local"}': 3,
    'rate_limiter_request_total{policy="login",allowed="false",source="local"}': 1,
    'rate_limiter_request_total{policy="api",allowed="true",source="local"}': 2,
    'rate_limiter_request_total{policy="api",allowed="false",source="local"}': 1,
    'rate_limiter_hits_total{policy="login"}': 1,
    'rate_limiter_hits_total{policy="api"}': 1,
    rate_limiter_active_clients: 3,
    'rate_limiter_request_duration_seconds_count{transport="http",method="check"}': 5,
    'rate_limiter_request_duration_seconds_count{transport="http",method="check-all"}': 0,
    'rate_limiter_request_duration_seconds_count{transport="http",method="status"}': 1,
    'rate_limiter_request_duration_seconds_count{transport="grpc",method="CheckLimit"}': 1,
    'rate_limiter_request_duration_seconds_count{transport="grpc",method="CheckLimits"}': 1,
    'rate_limiter_request_duration_seconds_count{transport="grpc",method="GetStatus"}': 1,
    'rate_limiter_request_duration_seconds_bucket{transport="grpc",method="CheckLimit",le="+Inf"}': 1,
    'rate_limiter_token_bucket_size_bucket{policy="api",le="0"}': 0,
    'rate_limiter_token_bucket_size_bucket{policy="api",le="1"}': 2,
    'rate_limiter_token_bucket_size_bucket{policy="api",le="2"}': 2,
    'rate_limiter_token_bucket_size_bucket{policy="api",le="5"}': 3,
    'rate_limiter_token_bucket_size_bucket{policy="api",le="+Inf"}': 3,
    'rate_limiter_token_bucket_size_sum{policy="api"}': 5,
    'rate_limiter_token_bucket_size_count{policy="api"}': 3,
    'rate_limiter_token_bucket_size_count{policy="login"}': 4,
    'rate_limiter_memory_evictions_total{policy="api"}': 0,
    'rate_limiter_memory_overflow_total{policy="api"}': 0,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(series.get(name), value, name);
  }
  assert.ok(series.get("process_cpu_seconds_total")! > 0);
  assert.ok(!answer.text.includes("key="));
  assert.ok(!answer.text.includes("nope"));
});

test("a second scrape does not count anything twice", async (context) => {
  const { service, http } = await startTestService(context);
  const admin = createHttpClient(service.addresses.admin.port);
  const series = 'rate_limiter_request_total{policy="api",allowed="true",source="local"}';
  for (const count of [1, 2]) {
    await http("POST", "/v1/check", { policy: "api", key: "a" });
    assert.equal(parse((await admin("GET", "/metrics")).text).get(series), count);
  }
});

test("what the memory store had to give up is counted", async (context) => {
  const store = memoryStore({ maxKeys: 2 });
  const policies = {
    roomy: { limits: [fixedWindow({ limit: 10, window: "36500d" })] },
    tight: { limits: [fixedWindow({ limit: 1, window: "36500d" })] },
  };
  const { service, http } = await startTestService(context, { policies }, { store });
  const admin = createHttpClient(service.addresses.admin.port);
  const check = (policy: string, key: string) => http("POST", "/v1/check", { policy, key });
  for (const key of ["a", "b", "c"]) await check("roomy", key);
  // Keys that have been denied are being limited, so none of them makes room for the third.
  for (const key of ["a", "a", "b", "b", "c"]) await check("tight", key);
  const series = parse((await admin("GET", "/metrics")).text);
  const counts = ["evictions", "overflow"].map((what) => {
    return ["roomy", "tight"].map((policy) => {
      return series.get(`rate_limiter_memory_${what}_total{policy="${policy}"}`);
    });
  });
  assert.deepEqual(counts, [
    [1, 0],
    [0, 1],
  ]);
});

test("calls to Redis are counted by operation and status", async () => {
  const telemetry = new ServiceTelemetry({ api: LOCAL });
  telemetry.storeCalled("evalsha", "ok");
  telemetry.storeCalled("evalsha", "ok");
  telemetry.storeCalled("evalsha", "error");
  telemetry.storeCalled("ping", "ok");
  const series = parse(await createRegistry(telemetry).metrics());
  assert.deepEqual(
    [...series].filter(([name]) => name.startsWith("rate_limiter_redis")),
    [
      ['rate_limiter_redis_operations_total{operation="evalsha",status="ok"}', 2],
      ['rate_limiter_redis_operations_total{operation="evalsha",status="error"}', 1],
      ['rate_limiter_redis_operations_total{operation="ping",status="ok"}', 1],
      ['rate_limiter_redis_operations_total{operation="ping",status="error"}', 0],
    ],
  );
});

test("the admin port has the probes, and nothing else", async (context) => {
  const store = createManualStore();
  const { service, log } = await startTestService(context, {}, { store });
  await until(() => log.lines.some(({ message }) => message === "the store answers"));
  const admin = createHttpClient(service.addresses.admin.port);
  const alive = await admin("GET", "/healthz");
  assert.deepEqual([alive.status, alive.json], [200, { alive: true }]);
  const ready = await admin("GET", "/readyz");
  const { circuits, ...body } = ready.json as { circuits: { node: string; state: string }[] };
  assert.deepEqual(
    [ready.status, body],
    [200, { ready: true, store: "reachable", draining: false }],
  );
  assert.deepEqual(
    circuits.map(({ node, state }) => [node, state]),
    [["", "closed"]],
  );
  const head = await admin("HEAD", "/metrics");
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal((await admin("GET", "/v1/status")).status, 404);
  const post = await admin("POST", "/metrics", {});
  assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
});

/** Series of the counters of what decisions say beside allowed. */
async function flagSeries(telemetry: ServiceTelemetry): Promise<Record<string, number>> {
  const series = parse(await createRegistry(telemetry).metrics());
  const names = /^rate_limiter_(hits|soft_limited|near_limit|shadow_denied)_total/;
  return Object.fromEntries([...series].filter(([name]) => names.test(name)));
}

test("a flag has its series from the start where a policy can have it, else with the first", async () => {
  const telemetry = new ServiceTelemetry({
    api: LOCAL,
    softly: { ...LOCAL, soft: true },
    trial: { ...LOCAL, shadow: true },
  });
  const start = {
    'rate_limiter_hits_total{policy="api"}': 0,
    'rate_limiter_hits_total{policy="softly"}': 0,
    'rate_limiter_hits_total{policy="trial"}': 0,
    'rate_limiter_soft_limited_total{policy="softly"}': 0,
    'rate_limiter_near_limit_total{policy="api"}': 0,
    'rate_limiter_near_limit_total{policy="softly"}': 0,
    'rate_limiter_near_limit_total{policy="trial"}': 0,
    'rate_limiter_shadow_denied_total{policy="trial"}': 0,
  };
  assert.deepEqual(await flagSeries(telemetry), start);
  telemetry.decided(decisionWith({ soft: true, nearLimit: true }));
  telemetry.decided(decisionWith({ allowed: false, nearLimit: true }));
  telemetry.decided(decisionWith({ shadow: true, nearLimit: true, policy: "trial" }));
  telemetry.decided(decisionWith({ policy: "trial" }));
  assert.deepEqual(await flagSeries(telemetry), {
    ...start,
    'rate_limiter_hits_total{policy="api"}': 1,
    'rate_limiter_soft_limited_total{policy="api"}': 1,
    'rate_limiter_near_limit_total{policy="api"}': 2,
    'rate_limiter_near_limit_total{policy="trial"}': 1,
    'rate_limiter_shadow_denied_total{policy="trial"}': 1,
  });
  const series = parse(await createRegistry(telemetry).metrics());
  const count = (allowed: boolean) => {
    return series.get(
      `rate_limiter_request_total{policy="trial",allowed="${allowed}",source="local"}`,
    );
  };
  assert.deepEqual([count(true), count(false)], [2, 0], "what a shadow denied was admitted");
});

test("leases have their series from the start where a policy has any, and are added up", async () => {
  const telemetry = new ServiceTelemetry({
    hot: { ...LOCAL, source: "lease", lends: true },
    api: { ...LOCAL, source: "store" },
  });
  const leaseSeries = async () => {
    const series = parse(await createRegistry(telemetry).metrics());
    return Object.fromEntries(
      [...series].filter(([name]) => name.startsWith("rate_limiter_lease")),
    );
  };
  const start = {
    'rate_limiter_lease_events_total{policy="hot",event="granted"}': 0,
    'rate_limiter_lease_events_total{policy="hot",event="returned"}': 0,
    'rate_limiter_lease_events_total{policy="hot",event="expired"}': 0,
    'rate_limiter_lease_units_total{policy="hot",event="granted"}': 0,
    'rate_limiter_lease_units_total{policy="hot",event="returned"}': 0,
    'rate_limiter_lease_units_total{policy="hot",event="expired"}': 0,
    'rate_limiter_lease_waits_total{policy="hot"}': 0,
    'rate_limiter_lease_held_units{policy="hot"}': 0,
  };
  assert.deepEqual(await leaseSeries(), start);
  assert.ok(telemetry.storeCalls.has("announce"), "nodes that lend count each other");
  telemetry.leasesHeld(() => new Map([["hot", 13]]));
  telemetry.leased({ policy: "hot", kind: "granted", units: 25 });
  telemetry.leased({ policy: "hot", kind: "granted", units: 5 });
  telemetry.leased({ policy: "hot", kind: "returned", units: 4 });
  telemetry.leased({ policy: "hot", kind: "expired", units: 3 });
  telemetry.leased({ policy: "nope", kind: "granted", units: 1 });
  telemetry.leaseAwaited("hot");
  assert.deepEqual(await leaseSeries(), {
    'rate_limiter_lease_events_total{policy="hot",event="granted"}': 2,
    'rate_limiter_lease_events_total{policy="hot",event="returned"}': 1,
    'rate_limiter_lease_events_total{policy="hot",event="expired"}': 1,
    'rate_limiter_lease_units_total{policy="hot",event="granted"}': 30,
    'rate_limiter_lease_units_total{policy="hot",event="returned"}': 4,
    'rate_limiter_lease_units_total{policy="hot",event="expired"}': 3,
    'rate_limiter_lease_waits_total{policy="hot"}': 1,
    'rate_limiter_lease_held_units{policy="hot"}': 13,
  });
});

test("a name that no policy has makes no series", async () => {
  const telemetry = new ServiceTelemetry({ api: LOCAL });
  const before = Object.keys(await flagSeries(telemetry));
  for (let index = 0; index < 100; index += 1) {
    telemetry.decided(decisionWith({ policy: `unknown-${index}`, allowed: false, soft: true }));
    telemetry.evicted(`unknown-${index}`);
    telemetry.overflowed("__proto__");
  }
  telemetry.decided(decisionWith({ allowed: false }));
  assert.deepEqual(Object.keys(await flagSeries(telemetry)), before);
  assert.equal((await flagSeries(telemetry))['rate_limiter_hits_total{policy="api"}'], 1);
});

test("what answers as a rule has its series before the first request", async () => {
  const telemetry = new ServiceTelemetry({ api: { ...LOCAL, source: "store" }, login: LOCAL });
  const series = parse(await createRegistry(telemetry).metrics());
  const names = /^rate_limiter_(request|redis_operations)_total/;
  const zeros = [...series].filter(([name]) => names.test(name));
  assert.deepEqual(
    zeros.map(([name]) => name.replace(names, "")),
    [
      '{policy="api",allowed="true",source="store"}',
      '{policy="api",allowed="false",source="store"}',
      '{policy="login",allowed="true",source="local"}',
      '{policy="login",allowed="false",source="local"}',
      '{operation="evalsha",status="ok"}',
      '{operation="evalsha",status="error"}',
      '{operation="eval",status="ok"}',
      '{operation="eval",status="error"}',
      '{operation="ping",status="ok"}',
      '{operation="ping",status="error"}',
    ],
  );
  assert.ok(zeros.every(([, value]) => value === 0));
});

/** Series of what happens while the store does not answer. */
async function failureSeries(telemetry: ServiceTelemetry): Promise<Record<string, number>> {
  const series = parse(await createRegistry(telemetry).metrics());
  const names = /^rate_limiter_(degraded|late_answers)_total|^rate_limiter_store_circuit_state/;
  return Object.fromEntries([...series].filter(([name]) => names.test(name)));
}

test("a store's failures have their series before the first of them, and no more than can be", async () => {
  const stored: PolicyFacts = { ...LOCAL, source: "store" };
  const circuits = new StoreCircuits();
  circuits.expect("");
  const telemetry = new ServiceTelemetry(
    {
      api: stored,
      login: { ...stored, onStoreFailure: "deny" },
      search: { ...stored, onStoreFailure: "local" },
      node: LOCAL,
    },
    circuits,
  );
  const start = {
    'rate_limiter_store_circuit_state{node=""}': 0,
    'rate_limiter_degraded_total{policy="api",mode="allow"}': 0,
    'rate_limiter_degraded_total{policy="login",mode="deny"}': 0,
    'rate_limiter_degraded_total{policy="search",mode="local"}': 0,
    'rate_limiter_late_answers_total{policy="api"}': 0,
    'rate_limiter_late_answers_total{policy="login"}': 0,
    'rate_limiter_late_answers_total{policy="search"}': 0,
  };
  assert.deepEqual(await failureSeries(telemetry), start);
  assert.ok(telemetry.storeCalls.has("announce"), "nodes that share are counted");
  telemetry.decided(decisionWith({ source: "fail-open" }));
  telemetry.decided(decisionWith({ source: "fail-open", allowed: false }));
  telemetry.decided(decisionWith({ source: "fail-closed", allowed: false, policy: "login" }));
  telemetry.decided(decisionWith({ source: "fallback", policy: "search" }));
  telemetry.decided(decisionWith({ source: "cache", allowed: false }));
  telemetry.decided(decisionWith({ source: "store" }));
  telemetry.decided(decisionWith({ source: "fail-open", policy: "nope" }));
  telemetry.answeredLate(decisionWith({ policy: "login" }));
  telemetry.answeredLate(decisionWith({ policy: "nope" }));
  telemetry.circuitChanged({ node: "", deadlineMs: 50, state: "open", reason: "refused" });
  assert.deepEqual(await failureSeries(telemetry), {
    ...start,
    'rate_limiter_store_circuit_state{node=""}': 2,
    'rate_limiter_degraded_total{policy="api",mode="allow"}': 2,
    'rate_limiter_degraded_total{policy="login",mode="deny"}': 1,
    'rate_limiter_degraded_total{policy="search",mode="local"}': 1,
    'rate_limiter_late_answers_total{policy="login"}': 1,
  });
  telemetry.circuitChanged({ node: "", deadlineMs: 50, state: "half-open", reason: undefined });
  const state = 'rate_limiter_store_circuit_state{node=""}';
  assert.equal((await failureSeries(telemetry))[state], 1);
});
