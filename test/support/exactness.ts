// Shows that a limit is kept exactly: two service processes on one Redis, hit together over gRPC at high concurrency,
// and what they admitted held against what the limit allows by Redis' own clock, to the unit. Shared by the
// integration test and the benchmark, which differ in size only.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Client } from "@grpc/grpc-js";
import { eventually } from "./eventually.ts";
import { startRedis } from "./redis-server.ts";
import { startTidegate } from "./tidegate-process.ts";

const PROTO = fileURLToPath(
  new URL("../../packages/server/proto/tidegate/v1/rate_limiter.proto", import.meta.url),
);
const LIMIT = 1_000;
const WINDOW_US = 60_000_000;
/** A bucket of 1,000 that is refilled at 500 a second. */
const PERIOD_US = 2_000;
const OPENING = 900;
const CONFIGURATION = `
coordination: central
policies:
  window:
    deadline: 1s
    onStoreFailure: deny
    limits:
      - { algorithm: fixed-window, limit: ${LIMIT}, window: 1m }
  bucket:
    deadline: 1s
    onStoreFailure: deny
    limits:
      - { algorithm: token-bucket, capacity: ${LIMIT}, refill: 500/s }
`;

/** How one limit was hit. */
export interface ExactnessOptions {
  /** Requests, over both processes. */
  readonly requests: number;
  /** Requests in flight, over both processes. */
  readonly concurrency: number;
  /** Milliseconds that must be left of the minute when the window is first hit; the run waits for the next one else. */
  readonly roomMs: number;
}

/** What came of it, in units. `admitted` is exact where it equals `allowed`. */
export interface ExactnessResult {
  readonly limit: "fixed window" | "token bucket";
  readonly requests: number;
  readonly errors: number;
  readonly admitted: number;
  readonly allowed: number;
  /** What Redis holds in the end, in units taken; equals `admitted` in the window, or since the start in the bucket. */
  readonly recorded: number;
  readonly seconds: number;
  /** Shows how `allowed` was found. */
  readonly account: string;
}

type Check = (policy: string, key: string, cost?: number) => Promise<boolean>;

/** What the two processes and their Redis are asked through. */
interface World {
  /** Checks `cost` units, or one, through one of the processes in turn. */
  readonly check: Check;
  /** Redis' clock, in microseconds. */
  nowUs(): Promise<number>;
  /** The two numbers that Redis holds for a key. */
  state(policy: string, key: string): Promise<readonly [number, number]>;
}

/** Starts Redis and two services, hits both limits, and ends what it started. */
export async function showExactness(
  options: ExactnessOptions,
): Promise<readonly ExactnessResult[]> {
  const redis = await startRedis();
  const stops: (() => Promise<void> | void)[] = [() => redis.stop()];
  try {
    const checks: Check[] = [];
    for (let index = 0; index < 2; index += 1) {
      const service = await startTidegate(`store: ${redis.url}\n${CONFIGURATION}`);
      stops.unshift(() => service.stop());
      const client = openClient(service.grpcPort);
      stops.unshift(() => client.close());
      checks.push(client.check);
    }
    let turn = 0;
    const world: World = {
      check(policy, key, cost) {
        turn += 1;
        return checks[turn % checks.length]!(policy, key, cost);
      },
      async nowUs() {
        const [seconds, microseconds] = await redis.client.time();
        return Number(seconds) * 1_000_000 + Number(microseconds);
      },
      async state(policy, key) {
        const value = await redis.client.getBuffer(`tidegate:v1:{${policy}:${key}}`);
        if (value === null) throw new Error(`Redis holds nothing for ${policy}:${key}`);
        const at = value.indexOf("|") + 1;
        return [value.readDoubleLE(at), value.readDoubleLE(at + 8)];
      },
    };
    return [await showWindow(world, options), await showBucket(world, options)];
  } finally {
    for (const stop of stops) await stop();
  }
}

/**
 * A window admits LIMIT in each minute of Redis' clock, where each is asked for more. The run begins with room in its
 * minute; should it cross into the next all the same, that one's count is read from Redis.
 */
async function showWindow(world: World, options: ExactnessOptions): Promise<ExactnessResult> {
  await eventually(async () => {
    const left = WINDOW_US - ((await world.nowUs()) % WINDOW_US);
    if (left < options.roomMs * 1_000) throw new Error("the minute never had room");
  }, WINDOW_US / 500);
  const first = Math.floor((await world.nowUs()) / WINDOW_US);
  const run = await hit(world, "window", "exact", options);
  const [startUs, recorded] = await world.state("window", "exact");
  const last = startUs / WINDOW_US;
  const allowed = last === first ? LIMIT : (last - first) * LIMIT + recorded;
  return {
    limit: "fixed window",
    ...run,
    allowed,
    recorded: run.admitted - (last - first) * LIMIT === recorded ? run.admitted : recorded,
    account: `${last - first + 1} window(s) of ${LIMIT} by Redis' clock`,
  };
}

/**
 * A bucket that is never full again admits LIMIT + floor((t - t0) / PERIOD_US) units from its first check at t0 up to a
 * denial at t. The first check takes OPENING units, so that the bucket cannot be full before the others come, and t0 is
 * in what Redis holds after it. t is not told, but lies between two readings of the clock; the run ends with checks
 * until one is denied between two readings that fall into one period.
 */
async function showBucket(world: World, options: ExactnessOptions): Promise<ExactnessResult> {
  if (!(await world.check("bucket", "exact", OPENING))) throw new Error("a full bucket denied");
  const [firstTat] = await world.state("bucket", "exact");
  const startUs = firstTat - OPENING * PERIOD_US;
  const run = await hit(world, "bucket", "exact", { ...options, requests: options.requests - 1 });
  let { requests, admitted } = run;
  requests += 1;
  admitted += OPENING;
  let allowed: number | undefined;
  while (allowed === undefined) {
    const before = Math.floor(((await world.nowUs()) - startUs) / PERIOD_US);
    const taken = await world.check("bucket", "exact");
    const after = Math.floor(((await world.nowUs()) - startUs) / PERIOD_US);
    requests += 1;
    if (taken) admitted += 1;
    else if (before === after) allowed = LIMIT + before;
  }
  const [tat] = await world.state("bucket", "exact");
  return {
    limit: "token bucket",
    errors: run.errors,
    seconds: run.seconds,
    requests,
    admitted,
    allowed,
    recorded: (tat - startUs) / PERIOD_US,
    account: `${LIMIT} + ${allowed - LIMIT} refilled by Redis' clock`,
  };
}

async function hit(
  world: World,
  policy: string,
  key: string,
  options: ExactnessOptions,
): Promise<Pick<ExactnessResult, "requests" | "errors" | "admitted" | "seconds">> {
  let sent = 0;
  let admitted = 0;
  let errors = 0;
  const started = performance.now();
  async function worker(): Promise<void> {
    while (sent < options.requests) {
      sent += 1;
      try {
        if (await world.check(policy, key)) admitted += 1;
      } catch {
        errors += 1;
      }
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return { requests: sent, errors, admitted, seconds: (performance.now() - started) / 1_000 };
}

interface CheckLimit extends Client {
  CheckLimit(
    request: { policy: string; key: string; cost: number },
    callback: (error: Error | null, response?: { allowed: boolean }) => void,
  ): void;
}

/** Opens a client made from the published proto file, as any language would. */
function openClient(port: number) {
  // The gRPC packages are the server's own, found from there.
  const require = createRequire(new URL("../../packages/server/package.json", import.meta.url));
  const grpc = require("@grpc/grpc-js") as typeof import("@grpc/grpc-js");
  const loader = require("@grpc/proto-loader") as typeof import("@grpc/proto-loader");
  const proto = grpc.loadPackageDefinition(loader.loadSync(PROTO, { defaults: true }));
  const { RateLimiter } = (proto.tidegate as { v1: { RateLimiter: unknown } }).v1 as {
    RateLimiter: new (address: string, credentials: unknown) => CheckLimit;
  };
  const client = new RateLimiter(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return {
    check(policy: string, key: string, cost = 1): Promise<boolean> {
      return new Promise((resolve, reject) => {
        client.CheckLimit({ policy, key, cost }, (error, response) => {
          if (error !== null) reject(error);
          else resolve(response?.allowed === true);
        });
      });
    },
    close: () => client.close(),
  };
}
