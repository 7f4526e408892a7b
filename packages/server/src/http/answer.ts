// Writes answers. Decisions go straight to node's response: what Fastify does between a handler and the socket (hooks,
// serializers, header bookkeeping) is not used for them, and measured at a tenth of the whole request.

import type { FastifyReply } from "fastify";
import type { Readiness } from "../readiness.ts";
import { PROBLEM_TYPE, type Problem } from "./problem.ts";

/** The media type of everything that is not a problem. */
export const JSON_TYPE = "application/json; charset=utf-8";

/** Sends a body of JSON. While draining, the connection ends with it, so that its next request goes elsewhere. */
export function sendJson(
  reply: FastifyReply,
  readiness: Readiness,
  status: number,
  json: string,
  headers?: Readonly<Record<string, string>>,
): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, {
    ...headers,
    "Content-Type": JSON_TYPE,
    "Content-Length": Buffer.byteLength(json),
    ...(readiness.draining ? { Connection: "close" } : undefined),
  });
  raw.end(json);
}

/** Sends a problem. */
export function sendProblem(reply: FastifyReply, readiness: Readiness, problem: Problem): void {
  if (readiness.draining) reply.header("connection", "close");
  // As bytes, since Fastify would add a charset to the type of a string, which JSON's types do not have.
  reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}
