// A service whose Redis is killed, frozen, missing at the start, or one of several: what its callers, its probes, its
// metrics and its log say meanwhile, and that it heals by itself.

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { startRedis, startRedisCluster, withoutRedis } from "../../../test/support/redis-server.ts";
import { startTidegate } from "../../../test/support/tidegate-process.ts";
import { accepted, load } from "./config/support.ts";
import { createHttpClient, startTestService } from "./service-support.ts";

const FILE = `
policies:
  api:
    limits: [{ algorithm: fixed-window, limit: 100, window: 36500d }]
  login:
    onStoreFailure: deny
    limits: [{ algorithm: fixed-window, limit: 100, window: 36500d }]
  search:
    onStoreFailure: local
    limits: [{ algorithm: fixed-window, limit: 100, window: 36500d }]
`;
const POLICIES = ["api", "login", "search"];

interface Readyz {
  readonly ready: boolean;
  readonly store: string;
  readonly circuits: readonly { readonly node: string; readonly state: string }[];
}

/**
 * Starts a service in this process, on that store.
 * @param deadline longer than this machine is ever busy, where none is to pass.
 */
async function serve(context: TestContext, store: string, deadline = "1s") {
  const { policies: written } = accepted(await load(FILE));
  const policies = Object.fromEntries(
    Object.entries(written).map(([name, policy]) => [name, { ...policy, deadline }]),
  );
  const started = await startTestService(context, { policies, store });
  const admin = createHttpClient(started.service.addresses.admin.port);
  const ask = async (policy: string, key = "a") => {
    const answer = await started.http("POST", "/v1/check", { policy, key });
    assert.equal(answer.status, 200, answer.text);
    return answer.json as { allowed: boolean; source: string; remaining: number };
  };
  /** What the three policies say, after so many checks each that a circuit opens. */
  const askAll = async () => {
    for (let times = 0; times < 5; times += 1) {
      for (const policy of POLICIES) await ask(policy);
    }
    const answers = await Promise.all(POLICIES.map((policy) => ask(policy)));
    return answers.map(({ allowed, source }) => `${source} ${allowed}`);
  };
  const metric = async (series: string) => {
    const { text } = await admin("GET", "/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  const readyz = async () => {
    const { status, json } = await started.http("GET", "/readyz");
    return { status, ...(json as Readyz) };
  };
  /** Lines about circuits, those for the curious left out. */
  const circuitLines = () => {
    const lines = started.log.lines.filter(({ message }) => message.startsWith("circuit "));
    return lines.filter(({ level }) => level !== "debug");
  };
  return { ...started, ask, askAll, metric, readyz, circuitLines };
}

const STATE = 'rate_limiter_store_circuit_state{node=""}';
const DEGRADED = ["fail-open true", "fail-closed false", "fallback true"];
const HEALTHY = ["store true", "store true", "store true"];

describe("a store that fails", { skip: withoutRedis }, () => {
  test("killed and started anew: policies answer meanwhile, everything says so, and it heals", async (context) => {
    const redis = await startRedis();
    context.after(() => redis.stop());
    const { askAll, metric, readyz, circuitLines, log, http } = await serve(context, redis.url);
    assert.deepEqual(await askAll(), HEALTHY);
    assert.equal(await metric(STATE), 0);

    await redis.stop();
    assert.deepEqual(await eventuallyLike(askAll, DEGRADED), DEGRADED);
    const away = await eventually(async () => {
      const answer = await readyz();
      assert.notEqual(answer.circuits[0]!.state, "closed");
      return answer;
    });
    assert.deepEqual([away.status, away.ready, away.store], [200, true, "unavailable"]);
    assert.equal(away.circuits.length, 1);
    const settle = { policy: "api", key: "a", id: "i", actual: 1 };
    assert.equal((await http("POST", "/v1/settle", settle)).status, 503);
    const degraded: (number | undefined)[] = [];
    for (const [index, mode] of ["allow", "deny", "local"].entries()) {
      const series = `rate_limiter_degraded_total{policy="${POLICIES[index]}",mode="${mode}"}`;
      degraded.push(await metric(series));
    }
    assert.ok(
      degraded.every((count) => count !== undefined && count >= 2),
      `${degraded}`,
    );
    // A thousand requests more are no line more.
    const before = log.lines.filter(({ level }) => level !== "debug").length;
    for (let times = 0; times < 56; times += 1) await askAll();
    const after = log.lines.filter(({ level }) => level !== "debug").length;
    assert.ok(after - before <= 1, "the watch's line, if it was not there yet");

    const again = await startRedis({ port: redis.port });
    context.after(() => again.stop());
    assert.deepEqual(await eventuallyLike(askAll, HEALTHY), HEALTHY);
    await eventually(async () => {
      assert.deepEqual(await metric(STATE), 0);
      const { store, circuits } = await readyz();
      assert.deepEqual([store, circuits[0]!.state], ["reachable", "closed"]);
    });
    const lines = circuitLines();
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, (fields as { state: string }).state]),
      [
        ["warn", "open"],
        ["info", "closed"],
      ],
    );
    const { node, reason } = lines[0]!.fields as { node: string; reason: string };
    assert.equal(node, redis.url);
    assert.match(reason, /ECONNREFUSED|closed|reset/i);
  });

  test("what a frozen Redis admits after the deadline is counted", async (context) => {
    const redis = await startRedis();
    context.after(() => redis.stop());
    const { ask, metric } = await serve(context, redis.url, "50ms");
    const decided = () => {
      return eventually(async () => {
        const answer = await ask("api");
        assert.equal(answer.source, "store");
        return answer.remaining;
      });
    };
    const before = await decided();
    process.kill(redis.pid, "SIGSTOP");
    let source: string;
    try {
      ({ source } = await ask("api"));
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    assert.equal(source, "fail-open");
    const late = 'rate_limiter_late_answers_total{policy="api"}';
    await eventually(async () => assert.ok((await metric(late))! >= 1));
    assert.ok((await decided()) <= before - 2, "what it took stays taken");
  });

  test("a process starts while nothing listens, serves by policy, and heals", async (context) => {
    const port = await freePort();
    const service = await startTidegate(`store: redis://127.0.0.1:${port}\n${FILE}`);
    context.after(() => service.stop());
    const http = createHttpClient(service.httpPort);
    const sources = async () => {
      const answers: string[] = [];
      for (const policy of POLICIES) {
        const { json } = await http("POST", "/v1/check", { policy, key: "a" });
        answers.push((json as { source: string }).source);
      }
      return answers;
    };
    assert.deepEqual(await sources(), ["fail-open", "fail-closed", "fallback"]);
    const redis = await startRedis({ port });
    context.after(() => redis.stop());
    await eventually(async () => assert.deepEqual(await sources(), ["store", "store", "store"]));
    await eventually(async () => {
      const { status, json } = await http("GET", "/readyz");
      assert.deepEqual([status, (json as Readyz).store], [200, "reachable"]);
    });
  });

  test("of a Cluster, the master that is down has its own circuit, and the others decide", async (context) => {
    const cluster = await startRedisCluster();
    context.after(() => cluster.stop());
    for (const { client } of cluster.nodes) {
      await client.config("SET", "cluster-require-full-coverage", "no");
    }
    const { ask, metric, readyz, circuitLines } = await serve(context, cluster.url);
    const keys = Array.from({ length: 24 }, (_, index) => `user:${index}`);
    const sources = async () => {
      const answers = await Promise.all(keys.map((key) => ask("login", key)));
      return new Set(answers.map(({ source }) => source));
    };
    await eventually(async () => assert.deepEqual(await sources(), new Set(["store"])));
    const [down] = cluster.nodes;
    await down!.stop();
    const node = `127.0.0.1:${down!.port}`;
    const { circuits } = await eventually(async () => {
      assert.deepEqual(await sources(), new Set(["store", "fail-closed"]));
      const answer = await readyz();
      const state = answer.circuits.find((one) => one.node === node)?.state;
      assert.ok(state !== undefined && state !== "closed", `${state}`);
      return answer;
    });
    assert.deepEqual(
      circuits.filter(({ state }) => state !== "closed").map((one) => one.node),
      [node],
    );
    assert.ok((await metric(`rate_limiter_store_circuit_state{node="${node}"}`))! > 0);
    const lines = circuitLines().map(({ fields }) => fields as { node: string; state: string });
    assert.deepEqual(
      lines.map((one) => `${one.node} ${one.state}`),
      [`${node} open`],
    );
  });
});

/** Asks until the answer is that one. */
function eventuallyLike<T>(ask: () => Promise<T>, expected: T): Promise<T> {
  return eventually(async () => {
    const answer = await ask();
    assert.deepEqual(answer, expected);
    return answer;
  });
}
