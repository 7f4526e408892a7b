import assert from "node:assert/strict";
import { Agent } from "node:http";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { TidegateError, tokenBucket } from "tidegate";
import { startService } from "../src/index.ts";
import {
  createHttpClient,
  createLogLines,
  createManualStore,
  createManualTimers,
  PATIENT_POLICIES,
  POLICIES,
  startTestService,
  until,
} from "./service-support.ts";

const messages = (log: ReturnType<typeof createLogLines>) =>
  log.lines.map(({ message }) => message);

test("a start and a stop are one line each, and requests none", async (context) => {
  const { service, http, log } = await startTestService(context);
  assert.equal(await service.ready(), true);
  for (let times = 0; times < 5; times += 1) {
    await http("POST", "/v1/check", { policy: "login", key: "a" });
    await http("POST", "/v1/check", { policy: "nope", key: "a" });
  }
  await service.drain();
  assert.deepEqual(messages(log), ["the store answers", "started", "draining", "stopped"]);
  assert.deepEqual(log.lines[1]!.fields, {
    addresses: service.addresses,
    policies: ["api", "login"],
  });
});

/** A start of the store as it is told while nothing of it has changed. */
const CIRCUITS = [{ node: "", state: "closed", since: "2027-01-31T12:00:00.000Z" }];

test("it starts while its store is away, is ready, and says how the store does", async (context) => {
  const store = createManualStore();
  const timers = createManualTimers();
  store.pingAnswer = async () => {
    throw new TidegateError("STORE_UNAVAILABLE", "refused");
  };
  const { service, http, log } = await startTestService(context, {}, { store, timers });
  assert.deepEqual([await service.ready(), await service.storeAnswers()], [true, false]);
  const away = await http("GET", "/readyz");
  assert.equal(away.status, 200);
  const body = { ready: true, draining: false, circuits: CIRCUITS };
  assert.deepEqual(away.json, { ...body, store: "unavailable" });
  assert.equal((await http("GET", "/healthz")).status, 200);
  store.pingAnswer = undefined;
  timers.advance(1_000);
  await until(() => messages(log).includes("the store answers"));
  const back = await http("GET", "/readyz");
  assert.equal(back.status, 200);
  assert.deepEqual(back.json, { ...body, store: "reachable" });
  for (let second = 0; second < 5; second += 1) {
    timers.advance(1_000);
    assert.equal(await service.storeAnswers(), true);
  }
  assert.deepEqual(messages(log), ["the store does not answer", "started", "the store answers"]);
});

test("until it is known whether the store answers, it is starting; who asks does not wait", async (context) => {
  const store = createManualStore();
  const timers = createManualTimers();
  store.pingAnswer = () => new Promise(() => undefined);
  const { http, service } = await startTestService(context, {}, { store, timers });
  const starting = await http("GET", "/readyz");
  assert.equal(starting.status, 503);
  const body = { draining: false, circuits: CIRCUITS };
  assert.deepEqual(starting.json, { ...body, ready: false, store: "unknown" });
  const ready = service.ready();
  timers.advance(1_001);
  assert.equal(await ready, true);
  const hanging = await http("GET", "/readyz");
  assert.equal(hanging.status, 200);
  assert.deepEqual(hanging.json, { ...body, ready: true, store: "unavailable" });
});

test("a drain lets the calls in flight finish, and takes no more", async (context) => {
  const store = createManualStore();
  const { service, http, grpc, log } = await startTestService(
    context,
    { policies: PATIENT_POLICIES },
    { store },
  );
  const admin = createHttpClient(service.addresses.admin.port);
  const agent = new Agent({ keepAlive: true });
  context.after(() => agent.destroy());
  const request = { policy: "api", key: "over http" };
  const overHttp = http("POST", "/v1/check", request, { agent });
  const overGrpc = grpc.call("CheckLimit", { policy: "api", key: "over grpc" });
  await until(() => store.waiting.length === 2);

  let drained = false;
  const drain = service.drain().then(() => {
    drained = true;
  });
  assert.equal(await service.ready(), false);
  const readiness = await admin("GET", "/readyz");
  assert.equal(readiness.status, 503);
  const { ready, store: state, draining } = readiness.json as Record<string, unknown>;
  assert.deepEqual([ready, state, draining], [false, "reachable", true]);
  await assert.rejects(http("GET", "/healthz"), { code: "ECONNREFUSED" });
  await assert.rejects(grpc.call("CheckLimit", request), { code: status.UNAVAILABLE });
  assert.equal(store.waiting.length, 2, "no new call reached the store");
  assert.equal(drained, false);

  for (const { admit } of store.waiting) admit();
  const answer = await overHttp;
  assert.equal(answer.status, 200);
  assert.equal((answer.json as { key: string }).key, "over http");
  assert.equal(answer.headers.connection, "close");
  assert.equal((await overGrpc).key, "over grpc");
  await drain;
  assert.equal(store.released, 1);
  await assert.rejects(admin("GET", "/healthz"), { code: "ECONNREFUSED" });
  assert.deepEqual(messages(log).slice(-2), ["draining", "stopped"]);
  assert.deepEqual(log.lines.at(-1)!.fields, { clean: true });
});

test("a request that arrives on an open connection while draining is answered, and ends it", async (context) => {
  const store = createManualStore();
  const { service, http } = await startTestService(
    context,
    { policies: PATIENT_POLICIES },
    { store },
  );
  const request = { policy: "api", key: "a" };
  const first = http("POST", "/v1/check", request);
  await until(() => store.waiting.length === 1);
  const slow = slowRequest(service.addresses.http.port, request);
  await slow.connected;
  const drain = service.drain();
  slow.finish();
  await until(() => store.waiting.length === 2);
  for (const { admit } of store.waiting) admit();
  const answer = await slow.answer;
  assert.match(answer, /^HTTP\/1.1 200 /);
  assert.match(answer, /connection: close/i);
  assert.equal((await first).status, 200);
  await drain;
});

test("a connection that stays idle does not keep a drain", async (context) => {
  const { service, http, log } = await startTestService(context);
  const agent = new Agent({ keepAlive: true });
  context.after(() => agent.destroy());
  await http("GET", "/healthz", undefined, { agent });
  await service.drain();
  assert.deepEqual(log.lines.at(-1)!.fields, { clean: true });
});

test("callers that keep their connections busy see no reset when the service stops", async (context) => {
  const { service, http, log } = await startTestService(context);
  const agent = new Agent({ keepAlive: true, maxSockets: 10 });
  context.after(() => agent.destroy());
  const request = { policy: "api", key: "a", cost: 0 };
  const statuses = new Set<number>();
  let answered = 0;
  const ends = Array.from({ length: 10 }, async () => {
    for (;;) {
      try {
        const { status } = await http("POST", "/v1/check", request, { agent });
        statuses.add(status);
        answered += 1;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    }
  });
  await until(() => answered > 100);
  await service.drain();
  assert.deepEqual([...new Set(await Promise.all(ends))], ["ECONNREFUSED"]);
  assert.deepEqual([...statuses], [200]);
  assert.deepEqual(log.lines.at(-1)!.fields, { clean: true });
});

test("a drain that takes too long cuts the calls off", async (context) => {
  const store = createManualStore();
  const overrides = { drainTimeoutMs: 50, policies: PATIENT_POLICIES };
  const { service, http, grpc, log } = await startTestService(context, overrides, { store });
  const request = { policy: "api", key: "a" };
  const calls = [http("POST", "/v1/check", request), grpc.call("CheckLimit", request)];
  const ends = Promise.allSettled(calls);
  await until(() => store.waiting.length === 2);
  await service.drain();
  assert.deepEqual(
    (await ends).map((end) => end.status),
    ["rejected", "rejected"],
  );
  assert.deepEqual(messages(log).slice(-3), [
    "draining",
    "calls in flight were cut off",
    "stopped",
  ]);
  assert.deepEqual(log.lines.at(-1)!.fields, { clean: false });
  assert.equal(store.released, 1);
});

test("a port that is taken is named, and what was opened is closed again", async (context) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  context.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  for (const field of ["httpPort", "grpcPort", "adminPort"] as const) {
    const store = createManualStore();
    const configuration = {
      host: "127.0.0.1",
      httpPort: 0,
      grpcPort: 0,
      adminPort: 0,
      store: "memory",
      policies: POLICIES,
      logLevel: "silent" as const,
      drainTimeoutMs: 1_000,
      [field]: port,
    };
    await assert.rejects(startService(configuration, { store, logger: createLogLines() }), {
      name: "TidegateError",
      code: "INVALID_OPTION",
      field,
      message:
        `${field} must be a port that can be listened on, got ${port} on 127.0.0.1: ` +
        "something else listens there already",
    });
    assert.equal(store.released, 1, field);
  }
});

test("what the limiter refuses of a configuration is refused here", async () => {
  const configuration = {
    host: "127.0.0.1",
    httpPort: 0,
    grpcPort: 0,
    adminPort: 0,
    store: "memory",
    coordination: "central" as const,
    policies: { api: { limits: [tokenBucket({ capacity: 1, refill: "1/s" })] } },
    logLevel: "silent" as const,
    drainTimeoutMs: 1_000,
  };
  await assert.rejects(startService(configuration), {
    code: "INVALID_OPTION",
    field: "coordination",
  });
});

/** A request whose head is sent at once and whose body when told, so that it is in flight for as long. */
function slowRequest(port: number, body: object) {
  const text = JSON.stringify(body);
  let answer = "";
  const socket = connect(port, "127.0.0.1");
  const connected = new Promise<void>((resolve) => {
    socket.on("connect", () => {
      socket.write(
        "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
          `Content-Length: ${text.length}\r\nExpect: 100-continue\r\n\r\n`,
      );
    });
    // The server has read the head when it asks for the body.
    socket.once("data", () => resolve());
  });
  connected.then(() => {
    socket.on("data", (chunk) => {
      answer += chunk;
    });
  });
  const closed = new Promise<string>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
  return {
    connected,
    finish: () => socket.write(text),
    leave: () => socket.destroy(),
    answer: closed,
  };
}

test("a caller that goes away in the middle of its body is no fault of the service", async (context) => {
  const { service, http, log } = await startTestService(context);
  const slow = slowRequest(service.addresses.http.port, { policy: "api", key: "a" });
  await slow.connected;
  slow.leave();
  await slow.answer;
  assert.equal((await http("POST", "/v1/check", { policy: "api", key: "a" })).status, 200);
  await service.drain();
  assert.deepEqual(
    log.lines.filter(({ level }) => level === "error"),
    [],
  );
});
