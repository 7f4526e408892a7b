// The HTTP door: /v1 with its OpenAPI document, and the probes. It never decides anything itself.

import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { Server, type Socket } from "node:net";
import { type FastifyError, type FastifyInstance, fastify } from "fastify";
import { ARRIVAL_TIMEOUTS } from "../arrival-timeouts.ts";
import { listenError } from "../listen-error.ts";
import type { Timers } from "../runtime/timers.ts";
import { sendProblem } from "./answer.ts";
import {
  createProblem,
  PROBLEM_TYPE,
  ProblemError,
  type ProblemName,
  problemOf,
} from "./problem.ts";
import { BODY_LIMIT, parseJson } from "./request-body.ts";
import { addRoutes, type HttpOptions, METHODS_BY_PATH } from "./routes.ts";

const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** How long an open connection may be used once more while the service stops, before it is closed unasked. */
const LEAVE_MS = 200;

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /**
   * Takes no new connections, and ends each open one with its next answer; those that are idle are closed after a
   * moment, of `graceMs` at most. Resolves when all requests have been answered.
   */
  drain(graceMs: number): Promise<void>;
  /** Cuts what is left; resolves when all connections are closed. */
  close(): Promise<void>;
}

/**
 * Starts the server.
 * @throws TidegateError INVALID_OPTION, field "httpPort", where the port cannot be had.
 */
export async function startHttpServer(
  options: HttpOptions & { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  const { host, port, timers } = options;
  const app = createApp(options);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError("httpPort", host, port, error);
  }
  const address = app.server.address();
  let drained: Promise<void> | undefined;
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= app.close();
    return closed;
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    drain(graceMs) {
      drained ??= leave(app.server, Math.min(graceMs, LEAVE_MS), timers).then(close);
      return drained;
    },
    async close() {
      const all = close();
      app.server.closeAllConnections();
      await all;
    },
  };
}

/**
 * Stops listening, and resolves when all connections have ended, or after `graceMs`. A connection that is closed while
 * its next request is on the way gives its caller a reset; one that ends with an answer that says so gives none.
 */
function leave(server: Server, graceMs: number, timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    const cancel = timers.after(graceMs, resolve);
    // Not server.close(), which for HTTP closes what is idle at once.
    Server.prototype.close.call(server, () => {
      cancel();
      resolve();
    });
  });
}

function createApp(options: HttpOptions): FastifyInstance {
  const { readiness, unexpected } = options;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: ARRIVAL_TIMEOUTS.requestTimeout,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: ARRIVAL_TIMEOUTS,
    // Requests on connections that are open while the service stops are still answered, and end them.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    clientErrorHandler: (error, socket) => answerClientError(error, socket),
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, readiness, frameworkProblem(error) ?? problemOf(error, unexpected));
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    try {
      checkEncoding(request.headers);
      // Bytes that are not UTF-8 would make different keys the same one.
      if (!isUtf8(body as Buffer)) {
        throw new ProblemError("invalid-request", "The body is not JSON: it is not UTF-8.");
      }
      done(null, parseJson(body.toString("utf8")));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (request.raw.destroyed || error.code === "ECONNRESET") {
      // The caller has gone away in the middle of its request; nobody is there to be answered, and nothing failed.
      reply.hijack();
      reply.raw.destroy();
      return;
    }
    sendProblem(reply, readiness, frameworkProblem(error) ?? problemOf(error, unexpected));
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]!;
    const methods = METHODS_BY_PATH.get(path);
    if (methods === undefined) {
      const detail = "There is nothing at this path; /openapi.json says what there is.";
      sendProblem(reply, readiness, createProblem("not-found", detail));
      return;
    }
    reply.header("allow", methods);
    const detail = `${path} takes ${methods}, not ${request.method}.`;
    sendProblem(reply, readiness, createProblem("method-not-allowed", detail));
  });
  addRoutes(app, options);
  return app;
}

/** Returns the problem for what Fastify refuses by itself, or undefined where the error is not Fastify's. */
function frameworkProblem(error: { readonly code?: string; readonly statusCode?: number }) {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return createProblem("body-too-large", `The body may have ${BODY_LIMIT} bytes at most.`);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return createProblem("unsupported-media-type", "The body must be application/json.");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return createProblem("invalid-request", "The body is not as long as Content-Length says.");
    case "FST_ERR_BAD_URL":
      return createProblem("invalid-request", "The path is not a valid URL.");
    default:
      return isCallersFault(error)
        ? createProblem("invalid-request", "The request is not valid.")
        : undefined;
  }
}

/** Throws where the body is compressed, or not UTF-8 by its own account: it would be read as what it is not. */
function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = headers["content-encoding"] ?? "identity";
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers["content-type"] ?? "")?.[1] ?? "utf-8";
  if (encoding.toLowerCase() !== "identity") {
    const detail = `The body must not be compressed, got Content-Encoding ${encoding}.`;
    throw new ProblemError("unsupported-media-type", detail);
  }
  if (!/^utf-?8$/i.test(charset)) {
    throw new ProblemError("unsupported-media-type", `The body must be UTF-8, got ${charset}.`);
  }
}

/** Whether Fastify itself blames the request. */
function isCallersFault({ code, statusCode = 500 }: { code?: string; statusCode?: number }) {
  return code?.startsWith("FST_") === true && statusCode >= 400 && statusCode < 500;
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [ProblemName, string]>> = {
  HPE_HEADER_OVERFLOW: ["header-too-large", "The header may have 16,384 bytes at most."],
  ERR_HTTP_REQUEST_TIMEOUT: ["request-timeout", "The request did not arrive in time."],
};

/** Answers what is not HTTP, on the bare socket, and closes it. */
function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [name, detail] = CLIENT_ERRORS[error.code ?? ""] ?? [
    "invalid-request",
    "The request is not valid HTTP.",
  ];
  const problem = createProblem(name, detail);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nConnection: close\r\n` +
      `Content-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
