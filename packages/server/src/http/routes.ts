// What is served at which path.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Limiter } from "tidegate";
import type { Readiness } from "../readiness.ts";
import type { Timers } from "../runtime/timers.ts";
import type { ServiceTelemetry } from "../telemetry/service-telemetry.ts";
import { sendJson, sendProblem } from "./answer.ts";
import { LIMITER_ROUTES, type LimiterRoute } from "./limiter-routes.ts";
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
  ...LIMITER_ROUTES.map(({ path, method }) => [path, allow(method)] as const),
  ["/openapi.json", allow("GET")],
  ["/healthz", allow("GET")],
  ["/readyz", allow("GET")],
]);

function allow(method: LimiterRoute["method"]): string {
  return method === "GET" ? "GET, HEAD" : method;
}

/** Adds all routes. */
export function addRoutes(app: FastifyInstance, options: HttpOptions): void {
  const { readiness } = options;
  for (const route of LIMITER_ROUTES) {
    app.route({ method: route.method, url: route.path, handler: answering(options, route) });
  }
  app.get("/openapi.json", async (_request, reply) => {
    const { openApiJson } = await import("./openapi.ts");
    sendJson(reply, readiness, 200, openApiJson);
  });
  app.get("/healthz", (_request, reply) => sendJson(reply, readiness, 200, '{"alive":true}'));
  app.get("/readyz", (_request, reply) => {
    const answer = readiness.check();
    const headers = { "Cache-Control": "no-store" };
    sendJson(reply, readiness, answer.ready ? 200 : 503, JSON.stringify(answer), headers);
  });
}

/** Handles a route; every way it can end is timed. */
function answering(options: HttpOptions, route: LimiterRoute) {
  const { limiter, timers, readiness, unexpected } = options;
  const observe = options.telemetry.timer("http", route.name);
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const startedMs = timers.now();
    const fail = (error: unknown) => {
      observe(timers.now() - startedMs);
      sendProblem(reply, readiness, problemOf(error, unexpected));
    };
    let answered: ReturnType<LimiterRoute["answer"]>;
    try {
      answered = route.answer(request, limiter);
    } catch (error) {
      fail(error);
      return;
    }
    answered
      .then(({ json, headers }) => {
        observe(timers.now() - startedMs);
        sendJson(reply, readiness, 200, json, headers);
      })
      .catch(fail);
  };
}
