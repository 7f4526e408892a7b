// The port for those who run the service: metrics, and the probes once more. Not for callers, and so a port of its own.

import { createServer, type ServerResponse } from "node:http";
import { ARRIVAL_TIMEOUTS } from "../arrival-timeouts.ts";
import { listenError } from "../listen-error.ts";
import type { Readiness } from "../readiness.ts";
import type { ServiceTelemetry } from "../telemetry/service-telemetry.ts";

/** An admin server that listens. */
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What the admin server needs. */
export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly telemetry: ServiceTelemetry;
  readonly readiness: Readiness;
  /** Is told of an error that is nobody's request. */
  readonly unexpected: (error: unknown) => void;
}

type Page = () => Promise<{
  readonly status: number;
  readonly type: string;
  readonly body: string;
}>;

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

/**
 * Starts the server.
 * @throws TidegateError INVALID_OPTION, field "adminPort", where the port cannot be had.
 */
export async function startAdminServer(options: AdminOptions): Promise<AdminServer> {
  const { host, port, unexpected } = options;
  const pages = createPages(options);
  const server = createServer(ARRIVAL_TIMEOUTS, (request, response) => {
    request.resume();
    const page = pages.get((request.url ?? "/").split("?", 1)[0]!);
    if (page === undefined) {
      send(response, 404, TEXT_TYPE, `There is ${[...pages.keys()].join(", ")} here.\n`);
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      send(response, 405, TEXT_TYPE, "This takes GET and HEAD.\n");
    } else {
      page().then(
        ({ status, type, body }) => send(response, status, type, body),
        (error: unknown) => {
          unexpected(error);
          send(response, 500, TEXT_TYPE, "Something went wrong inside; it has been logged.\n");
        },
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError("adminPort", host, port, error)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function createPages({ telemetry, readiness }: AdminOptions): Map<string, Page> {
  let registry: Promise<import("prom-client").Registry> | undefined;
  const loadRegistry = async () => {
    const { createRegistry } = await import("../telemetry/metrics.ts");
    return createRegistry(telemetry);
  };
  return new Map<string, Page>([
    [
      "/metrics",
      async () => {
        // Loaded with the first scrape, for the sake of a quick start: what it reads is counted from the start.
        registry ??= loadRegistry().catch((error: unknown) => {
          // The next scrape tries again.
          registry = undefined;
          throw error;
        });
        const loaded = await registry;
        return { status: 200, type: loaded.contentType, body: await loaded.metrics() };
      },
    ],
    ["/healthz", async () => ({ status: 200, type: JSON_TYPE, body: '{"alive":true}' })],
    [
      "/readyz",
      async () => {
        const answer = readiness.check();
        return { status: answer.ready ? 200 : 503, type: JSON_TYPE, body: JSON.stringify(answer) };
      },
    ],
  ]);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
  });
  response.end(body);
}
