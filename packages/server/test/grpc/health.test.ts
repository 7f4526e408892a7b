import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { type TestContext, test } from "node:test";
import {
  Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import {
  createManualStore,
  createManualTimers,
  startTestService,
  until,
} from "../service-support.ts";

const { protoPath } = createRequire(import.meta.url)("grpc-health-check");
const definition = loadSync(protoPath, { enums: String, defaults: true });

interface HealthClient {
  check(service: string): Promise<string>;
  /** Statuses as they come, and at the end the code that the stream ended with. */
  watch(service: string): (string | number)[];
}

function connect(context: TestContext, port: number): HealthClient {
  // biome-ignore lint/suspicious/noExplicitAny: grpc-js types loaded packages by hand
  const loaded = loadPackageDefinition(definition) as any;
  const Health: ServiceClientConstructor = loaded.grpc.health.v1.Health;
  const client = new Health(`127.0.0.1:${port}`, credentials.createInsecure());
  context.after(() => client.close());
  return {
    check(service) {
      return new Promise((resolve, reject) => {
        client.check!({ service }, (error: Error | null, answer: { status: string }) => {
          if (error === null) resolve(answer.status);
          else reject(error);
        });
      });
    },
    watch(service) {
      const seen: (string | number)[] = [];
      const stream = client.watch!({ service });
      stream.on("data", (answer: { status: string }) => seen.push(answer.status));
      stream.on("error", (error: { code: number }) => seen.push(error.code));
      return seen;
    },
  };
}

test("the whole server and the rate limiter serve; another name is not known", async (context) => {
  const { service } = await startTestService(context);
  const health = connect(context, service.addresses.grpc.port);
  assert.equal(await health.check(""), "SERVING");
  assert.equal(await health.check("tidegate.v1.RateLimiter"), "SERVING");
  await assert.rejects(health.check("tidegate.v1.Nope"), { code: status.NOT_FOUND });
});

test("health serves while the store is away, and not while starting or stopping", async (context) => {
  const store = createManualStore();
  const timers = createManualTimers();
  let refuse: (error: Error) => void = () => undefined;
  store.pingAnswer = () => {
    return new Promise((_, reject) => {
      refuse = reject;
    });
  };
  const { service } = await startTestService(context, {}, { store, timers });
  const health = connect(context, service.addresses.grpc.port);
  const seen = health.watch("tidegate.v1.RateLimiter");
  await until(() => seen.length === 1);
  assert.equal(await health.check(""), "NOT_SERVING");
  refuse(new Error("down"));
  await until(() => seen.length === 2);
  timers.advance(1_000);
  refuse(new Error("still down"));
  assert.equal(await health.check(""), "SERVING");
  const drained = service.drain();
  await until(() => seen.length === 4);
  await drained;
  assert.deepEqual(seen, ["NOT_SERVING", "SERVING", "NOT_SERVING", status.UNAVAILABLE]);
});

test("a message that cannot be read is the caller's fault, and no line in the log", async (context) => {
  const { service, log } = await startTestService(context);
  const client = new Client(
    `127.0.0.1:${service.addresses.grpc.port}`,
    credentials.createInsecure(),
  );
  context.after(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const before = log.lines.length;
  for (const method of ["Check", "List", "Watch"]) {
    const code = await new Promise((resolve) => {
      const path = `/grpc.health.v1.Health/${method}`;
      const garbage = Buffer.from([0xff, 0xff, 0xff]);
      if (method === "Watch") {
        const stream = client.makeServerStreamRequest(path, same, same, garbage);
        stream.on("data", () => undefined);
        stream.on("error", (error) => resolve((error as { code?: number }).code));
      } else {
        client.makeUnaryRequest(path, same, same, garbage, (error) => resolve(error?.code));
      }
    });
    assert.equal(code, status.INVALID_ARGUMENT, method);
  }
  assert.equal(log.lines.length, before);
});
