// What is served at which path.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type CheckRequest, type Decision, type Limiter, rateLimitHeaders } from "tidegate";
import type { Readiness } from "../readiness.ts";
import type { Timers } from "../runtime/timers.ts";
import type { ServiceTelemetry } from "../telemetry/service-telemetry.ts";
import { sendJson, sendProblem } from "./answer.ts";
import { readBatchBody, readCheckBody, readStatusQuery } from "./check-body.ts";
import { decisionJson, decisionsJson } from "./decision-json.ts";
import { problemOf } from "./problem.ts";

/** What the HTTP door needs. */
export interface HttpOptions {
  readonly limiter: Limiter;
  readonly telemetry: ServiceTelemetry;
  readonly timers: Timers;
  readonly readiness: Readiness;
  /** Is told of an error that is nobody's request. */
  readonly unexpected: (error: unknown) => void;
}

/** The methods of every path, as an Allow header. */
export const METHODS_BY_PATH: ReadonlyMap<string, string> = new Map([
  ["/v1/check", "POST"],
  ["/v1/check-all", "POST"],
  ["/v1/status", "GET, HEAD"],
  ["/openapi.json", "GET, HEAD"],
  ["/healthz", "GET, HEAD"],
  ["/readyz", "GET, HEAD"],
]);

/** Adds all routes. */
export function addRoutes(app: FastifyInstance, options: HttpOptions): void {
  const { limiter, readiness } = options;
  const headersOf = (decision: Decision) => {
    return rateLimitHeaders(decision, limiter.describe(decision.policy));
  };
  app.post(
    "/v1/check",
    deciding(options, "check", {
      read: (request) => readCheckBody(request.body),
      decide: (request: CheckRequest) => limiter.check(request),
      write: decisionJson,
      headersOf,
    }),
  );
  app.post(
    "/v1/check-all",
    deciding(options, "check-all", {
      read: (request) => readBatchBody(request.body),
      decide: (requests: CheckRequest[]) => limiter.checkAll(requests),
      write: decisionsJson,
    }),
  );
  app.get(
    "/v1/status",
    deciding(options, "status", {
      read: (request) => readStatusQuery(request.query, request.url),
      decide: (request: CheckRequest) => limiter.peek(request),
      write: decisionJson,
      headersOf,
    }),
  );
  app.get("/openapi.json", async (_request, reply) => {
    const { openApiJson } = await import("./openapi.ts");
    sendJson(reply, readiness, 200, openApiJson);
  });
  app.get("/healthz", (_request, reply) => sendJson(reply, readiness, 200, '{"alive":true}'));
  app.get("/readyz", async (_request, reply) => {
    const answer = await readiness.check();
    const headers = { "Cache-Control": "no-store" };
    sendJson(reply, readiness, answer.ready ? 200 : 503, JSON.stringify(answer), headers);
  });
}

/** A route that reads a request, has it decided, and writes the answer; every way it can end is timed. */
function deciding<Request, Answer>(
  options: HttpOptions,
  name: string,
  route: {
    readonly read: (request: FastifyRequest) => Request;
    readonly decide: (request: Request) => Promise<Answer>;
    readonly write: (answer: Answer) => string;
    readonly headersOf?: (answer: Answer) => object;
  },
) {
  const { timers, readiness, unexpected } = options;
  const observe = options.telemetry.timer("http", name);
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const startedMs = timers.now();
    const fail = (error: unknown) => {
      observe(timers.now() - startedMs);
      sendProblem(reply, readiness, problemOf(error, unexpected));
    };
    let decided: Promise<Answer>;
    try {
      decided = route.decide(route.read(request));
    } catch (error) {
      fail(error);
      return;
    }
    decided
      .then((answer) => {
        observe(timers.now() - startedMs);
        sendJson(reply, readiness, 200, route.write(answer), { ...route.headersOf?.(answer) });
      })
      .catch(fail);
  };
}
