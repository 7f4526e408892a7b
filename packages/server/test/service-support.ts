// What the service's tests share: a service on free ports, a store and timers driven by hand, clients for each door.

import { type ClientRequestArgs, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { type Decision, fixedWindow, type Policy, type Store, tokenBucket } from "tidegate";
import type { Configuration } from "../src/configuration.ts";
import type { Timers } from "../src/runtime/timers.ts";
import { type Service, type ServicePorts, startService } from "../src/service.ts";
import type { Logger } from "../src/telemetry/logger.ts";

const require = createRequire(import.meta.url);

/** The protobufjs that reads the proto file: the oracle of the codec, and the client of the service's tests. */
export const protobuf: typeof import("protobufjs") = require("protobufjs");

export const PROTO_FILE = fileURLToPath(
  new URL("../proto/tidegate/v1/rate_limiter.proto", import.meta.url),
);

/** Limits whose windows are a century, so that no test sees one end. */
export const POLICIES: Configuration["policies"] = {
  api: { limits: [tokenBucket({ capacity: 100, refill: "1/365d" })] },
  login: {
    limits: [
      fixedWindow({ limit: 2, window: "36500d", name: "short" }),
      fixedWindow({ limit: 5, window: "36500d", name: "long" }),
    ],
  },
};

/** The same, waiting for the store as long as any may, so that a call stays in flight. */
export const PATIENT_POLICIES: Configuration["policies"] = Object.fromEntries(
  Object.entries(POLICIES).map(([name, policy]) => [name, { ...policy, deadline: "1s" }]),
);

/** A logger that keeps its lines. */
export interface LogLines extends Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[];
}

export function createLogLines(): LogLines {
  const lines: LogLines["lines"] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields });
  };
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Starts a service on free ports, and drains it after the test. */
export async function startTestService(
  context: Pick<TestContext, "after">,
  overrides: Partial<Configuration> = {},
  ports: ServicePorts = {},
): Promise<{ service: Service; log: LogLines; http: HttpClient; grpc: GrpcClient }> {
  const log = createLogLines();
  const configuration: Configuration = {
    host: "127.0.0.1",
    httpPort: 0,
    grpcPort: 0,
    adminPort: 0,
    store: "memory",
    policies: POLICIES,
    logLevel: "info",
    drainTimeoutMs: 10_000,
    ...overrides,
  };
  const service = await startService(configuration, { logger: log, ...ports });
  const grpc = createGrpcClient(service.addresses.grpc.port);
  context.after(async () => {
    grpc.close();
    await service.drain();
  });
  return { service, log, grpc, http: createHttpClient(service.addresses.http.port) };
}

/** What a door answered over HTTP. `json` is undefined where the body is not JSON. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: unknown;
}

export type HttpClient = (
  method: string,
  path: string,
  body?: unknown,
  options?: Pick<ClientRequestArgs, "headers" | "agent">,
) => Promise<HttpAnswer>;

/** Sends over loopback. A body that is neither string nor bytes goes as JSON. */
export function createHttpClient(port: number): HttpClient {
  return (method, path, body, options = {}) => {
    const raw = body === undefined || typeof body === "string" || Buffer.isBuffer(body);
    const payload = raw ? body : JSON.stringify(body);
    const headers = {
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const target = { host: "127.0.0.1", port, method, path, agent: false as const };
      const request = httpRequest({ ...target, ...options, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          let json: unknown;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({ status: response.statusCode!, headers: response.headers, text, json });
        });
      });
      request.on("error", reject);
      request.end(payload);
    });
  };
}

/** A client that knows the service only from its proto file. */
export interface GrpcClient {
  /** Calls a method of tidegate.v1.RateLimiter; answers a plain object, absent fields left out. */
  call(method: string, request: object): Promise<Record<string, unknown>>;
  /** Calls a method with bytes as they are. */
  callBytes(method: string, bytes: Buffer): Promise<Buffer>;
  readonly channel: Client;
  close(): void;
}

export function createGrpcClient(port: number): GrpcClient {
  const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const root = new protobuf.Root().loadSync(PROTO_FILE, { keepCase: true });
  const service = root.lookupService("tidegate.v1.RateLimiter");
  const callBytes = (method: string, bytes: Buffer) => {
    const same = (value: Buffer) => value;
    return new Promise<Buffer>((resolve, reject) => {
      const path = `/tidegate.v1.RateLimiter/${method}`;
      channel.makeUnaryRequest(path, same, same, bytes, (error: ServiceError | null, value) => {
        if (error !== null) reject(error);
        else resolve(value!);
      });
    });
  };
  return {
    channel,
    callBytes,
    async call(method, request) {
      const { requestType, responseType } = service.methods[method]!;
      const bytes = root.lookupType(`tidegate.v1.${requestType}`).encode(request).finish();
      const type = root.lookupType(`tidegate.v1.${responseType}`);
      const answer = type.decode(await callBytes(method, Buffer.from(bytes)));
      return type.toObject(answer, { longs: Number });
    },
    close: () => channel.close(),
  };
}

/** Reads a decision off the wire as its encoder's reader should: what is absent has its default. */
export function withDefaults(response: Record<string, unknown>): Record<string, unknown> {
  const flags = { soft: false, near_limit: false, shadow: false };
  const numbers = { limit: 0, remaining: 0, reset_after_ms: 0, delay_ms: 0 };
  return { allowed: false, ...flags, ...numbers, ...response };
}

/** A decision, for tests of what is done with one. */
export function decisionWith(fields: Partial<Decision> = {}): Decision {
  return {
    allowed: true,
    policy: "api",
    key: "user:42",
    limitName: "api",
    limit: 100,
    remaining: 99,
    retryAfterMs: 0,
    resetAfterMs: 100,
    delayMs: 0,
    soft: false,
    nearLimit: false,
    shadow: false,
    source: "local",
    ...fields,
  };
}

/** A shared store whose answers are given by hand. */
export interface ManualStore extends Store {
  /** Decisions that wait, oldest first. */
  readonly waiting: {
    readonly key: string;
    readonly admit: () => void;
    readonly fail: (error: unknown) => void;
  }[];
  /** What pings do: resolve with undefined, reject with an error, or wait. */
  pingAnswer: (() => Promise<void>) | undefined;
  released: number;
}

export function createManualStore(): ManualStore {
  const waiting: ManualStore["waiting"] = [];
  return {
    shared: true,
    waiting,
    pingAnswer: undefined,
    released: 0,
    decide(policy, key, cost) {
      return new Promise((resolve, reject) => {
        const admit = () => resolve(decisionOf(policy, key, cost));
        waiting.push({ key, admit, fail: reject });
      });
    },
    reset: async () => undefined,
    ping() {
      return this.pingAnswer?.();
    },
    run: async () => {
      throw new Error("only checks are asked for");
    },
    split: (parts) => [parts],
    attach: () => undefined,
    detach() {
      this.released += 1;
    },
  };
}

function decisionOf(policy: Policy, key: string, cost: number): Decision {
  const limit = policy.limits[0]!.limit;
  return decisionWith({
    policy: policy.name,
    key,
    limitName: policy.limitNames[0]!,
    limit,
    remaining: limit - cost,
    resetAfterMs: 1_000,
    source: "store",
  });
}

/** Timers that only move when they are told to. */
export interface ManualTimers extends Timers {
  advance(ms: number): void;
}

export function createManualTimers(): ManualTimers {
  let nowMs = 0;
  let jobs: { atMs: number; readonly everyMs: number | undefined; readonly work: () => void }[] =
    [];
  const add = (ms: number, everyMs: number | undefined, work: () => void) => {
    const job = { atMs: nowMs + ms, everyMs, work };
    jobs.push(job);
    return () => {
      jobs = jobs.filter((other) => other !== job);
    };
  };
  return {
    now: () => nowMs,
    timestamp(agoMs = 0) {
      return new Date(Date.UTC(2027, 0, 31, 12) + nowMs - agoMs).toISOString();
    },
    after: (ms, work) => add(ms, undefined, work),
    every: (ms, work) => add(ms, ms, work),
    afterTurn: (work) => work(),
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const due = jobs.filter(({ atMs }) => atMs <= untilMs);
        const next = due.sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        nowMs = next.atMs;
        if (next.everyMs === undefined) jobs = jobs.filter((job) => job !== next);
        else next.atMs += next.everyMs;
        next.work();
      }
      nowMs = untilMs;
    },
  };
}

/** Waits for what other parts of this process, or loopback, bring about in the turns to come. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`never came true: ${condition}`);
}
