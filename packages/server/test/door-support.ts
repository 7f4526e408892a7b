// The doors alone, over a limiter that writes down what it is asked and answers what it is told to.

import type { TestContext } from "node:test";
import type { Limiter, PolicyDescription } from "tidegate";
import { startGrpcServer } from "../src/grpc/grpc-server.ts";
import { startHttpServer } from "../src/http/http-server.ts";
import { systemTimers } from "../src/runtime/timers.ts";
import { ServiceTelemetry } from "../src/telemetry/service-telemetry.ts";
import {
  createGrpcClient,
  createHttpClient,
  decisionWith,
  type GrpcClient,
  type HttpClient,
} from "./service-support.ts";

/** The methods that doors call. */
export type Asked =
  | "check"
  | "checkAll"
  | "checkEvery"
  | "peek"
  | "reserve"
  | "settle"
  | "refund"
  | "acquire"
  | "release"
  | "extend";

/** A limiter that decides nothing. */
export interface FakeLimiter extends Limiter {
  /** What was asked, in order: the method and its arguments. */
  readonly calls: (readonly [Asked, ...unknown[]])[];
  /** What a method answers, or where it is an error, rejects with. */
  readonly answers: Map<Asked, unknown>;
}

/** Creates one that admits everything, until it is told otherwise. */
export function createFakeLimiter(): FakeLimiter {
  const decision = decisionWith();
  const calls: FakeLimiter["calls"] = [];
  const answers = new Map<Asked, unknown>([
    ["checkAll", [decision, decision]],
    ["reserve", { ...decision, id: "r-1", cost: 5, ttlMs: 30_000 }],
    ["settle", { ...decision, settled: true }],
    ["acquire", { ...decision, id: "p-1", cost: 1, leaseMs: 10_000 }],
    ["release", true],
    ["extend", true],
  ]);
  const method = (name: Asked) => {
    return async (...given: unknown[]): Promise<never> => {
      calls.push([name, ...given]);
      const answer = answers.get(name) ?? decision;
      if (answer instanceof Error) throw answer;
      return answer as never;
    };
  };
  const unused = async (): Promise<never> => {
    throw new Error("no door calls it");
  };
  return {
    calls,
    answers,
    check: method("check"),
    checkAll: method("checkAll"),
    checkEvery: method("checkEvery"),
    peek: method("peek"),
    schedule: unused,
    reserve: method("reserve"),
    settle: method("settle"),
    refund: method("refund"),
    acquire: method("acquire"),
    release: method("release"),
    extend: method("extend"),
    withPermit: unused,
    reset: unused,
    describe: (name) => ({ ...DESCRIPTION, name }),
    setPolicy: () => {
      throw new Error("no door calls it");
    },
    ping: async () => undefined,
    close: async () => undefined,
  };
}

const DESCRIPTION: PolicyDescription = {
  name: "api",
  limits: [{ name: "api", algorithm: "token-bucket", limit: 100, windowMs: 10_000, soft: false }],
  shadow: false,
};

/** Doors that listen on free ports. */
export interface Doors {
  readonly limiter: FakeLimiter;
  readonly telemetry: ServiceTelemetry;
  readonly http: HttpClient;
  /** Where HTTP is. */
  readonly url: string;
  readonly grpc: GrpcClient;
  /** Errors that were nobody's request. */
  readonly unexpected: unknown[];
}

/** Starts HTTP and gRPC over a fake limiter, and closes them after the test. */
export async function startDoors(context: Pick<TestContext, "after">): Promise<Doors> {
  const limiter = createFakeLimiter();
  const facts = {
    source: "local" as const,
    soft: false,
    shadow: false,
    onStoreFailure: "allow" as const,
    lends: false,
  };
  const telemetry = new ServiceTelemetry({ api: facts });
  const unexpected: unknown[] = [];
  const options = {
    host: "127.0.0.1",
    port: 0,
    limiter,
    telemetry,
    timers: systemTimers,
    readiness: {
      draining: false,
      check: () => ({
        ready: true,
        store: "reachable" as const,
        draining: false,
        circuits: [{ node: "", state: "closed" as const, since: "2027-01-31T12:00:00.000Z" }],
      }),
      opened: () => undefined,
      startDraining: () => undefined,
    },
    unexpected: (error: unknown) => void unexpected.push(error),
  };
  const httpServer = await startHttpServer(options);
  const grpcServer = await startGrpcServer(options);
  const grpc = createGrpcClient(grpcServer.port);
  context.after(async () => {
    grpc.close();
    await Promise.all([httpServer.close(), grpcServer.drain(0)]);
  });
  const { port } = httpServer;
  const url = `http://127.0.0.1:${port}`;
  return { limiter, telemetry, grpc, unexpected, url, http: createHttpClient(port) };
}
