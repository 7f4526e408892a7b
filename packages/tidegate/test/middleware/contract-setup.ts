// What the parts of the middleware contract share: the terms they speak in, and a limiter on a manual clock.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  concurrency,
  createLimiter,
  fixedWindow,
  type Limiter,
  leakyBucket,
  memoryStore,
  type PolicyOptions,
  type Store,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "./manual-timer.ts";
import { watchChanges } from "./until.ts";
import { watchStore } from "./watched-store.ts";

/** What a key, policy, cost or skip function of a test sees of a request, whatever the framework. */
export interface SeenRequest {
  readonly path: string;
  header(name: string): string | undefined;
}

/** What a refund function of a test sees of a response. */
export interface SeenResponse {
  readonly status: number;
  /** Whether it was sent, rather than broken off. */
  readonly sent: boolean;
}

/** Options of one middleware, in the terms of the tests. */
export interface GuardOptions {
  readonly limiter: Limiter;
  readonly policy: string | ((request: SeenRequest) => string);
  readonly key?: (request: SeenRequest) => string | undefined | Promise<string | undefined>;
  readonly cost?: number | ((request: SeenRequest) => number);
  readonly skip?: (request: SeenRequest) => boolean | Promise<boolean>;
  /** "answer": onDenied answers 418 with the limit's name; "pass": it lets the request go on; "throw": it throws. */
  readonly onDenied?: "answer" | "pass" | "throw";
  readonly refundWhen?: (response: SeenResponse) => boolean;
  readonly headers?: boolean | "draft-11";
  readonly ipv6Prefix?: number;
  readonly onWarning?: (warning: { code: string; message: string }) => void;
}

/** A server whose every path and method is guarded, in order, and then answers with `req.rateLimit` as JSON. */
export interface ServerOptions {
  readonly guards: readonly GuardOptions[];
  /** Answers with which status, and when; what it throws goes to the error handler. Left out, 200 at once. */
  readonly answer?: (request: SeenRequest) => number | Promise<number>;
  /** Proxies that the framework trusts: none, that many, or anyone. */
  readonly trustProxy?: boolean | number;
}

/** A running server. Its error handler answers 500 with {"code", "field", "message"}. */
export interface RunningServer {
  readonly url: string;
  /** How many requests came through all guards. */
  handled(): number;
  /** Resolves when so many connections have closed, as the server sees it. */
  untilClosed(count: number): Promise<void>;
  close(): Promise<void>;
}

/** One framework. */
export interface MiddlewareAdapter {
  readonly name: string;
  serve(options: ServerOptions): Promise<RunningServer>;
}

/** Starts a server that is closed when the suite is over. */
export type Serve = (options: ServerOptions) => Promise<RunningServer>;

/** A key function: the header x-user. */
export const byUser = (request: SeenRequest) => request.header("x-user") ?? "nobody";

const POLICIES: Record<string, PolicyOptions> = {
  api: { limits: [tokenBucket({ capacity: 3, refill: "1/10s" })] },
  login: { limits: [fixedWindow({ limit: 2, window: "1m" })] },
  both: {
    limits: [
      tokenBucket({ capacity: 5, refill: "1/s", name: "burst" }),
      fixedWindow({ limit: 2, window: "1d", name: "daily" }),
    ],
  },
  mail: { limits: [leakyBucket({ rate: "1/s", queue: 2 })] },
  exports: { limits: [concurrency({ limit: 2, lease: "30s" })] },
};

/** Creates a limiter of all kinds of policies, and the clock, timer and store that it runs on. */
export function createSetup(given?: Store, policies: Record<string, PolicyOptions> = {}) {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = watchStore(given ?? memoryStore({ clock }));
  const limiter = createLimiter({
    policies: { ...POLICIES, ...policies },
    store,
    clock,
    timer,
  });
  return { clock, timer, store, limiter };
}

/** Makes each handler wait until the test lets it answer, in any order. */
export function createGate() {
  const handlers: ((status: number) => void)[] = [];
  const changes = watchChanges();
  return {
    answer() {
      return new Promise<number>((resolve) => {
        handlers.push(resolve);
        changes.tell();
      });
    },
    /** Resolves when so many handlers have begun. */
    untilBegun: (count: number) => changes.until(() => handlers.length >= count),
    /** Lets the handler answer that began as the `index`th, from 0. */
    open: (index: number, status = 200) => handlers[index]!(status),
  };
}

/** A function of the application that is broken. */
export function fail(): never {
  throw new Error("broken on purpose");
}

/** Sends a GET. */
export function get(
  server: RunningServer,
  headers: Record<string, string> = {},
  path = "/",
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers, ...(signal === undefined ? {} : { signal }) });
}

/** Sends so many requests at once over one connection, the second before the first is answered. */
export async function pipeline(server: RunningServer, count: number): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
  socket.write(request.repeat(count));
  return socket;
}
