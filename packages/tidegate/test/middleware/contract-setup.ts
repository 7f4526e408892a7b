// What the parts of the middleware contract share: the terms they speak in, and a limiter on a manual clock.

import {
  createLimiter,
  fixedWindow,
  type Limiter,
  memoryStore,
  type Store,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";

/** What a key, policy, cost or skip function of a test sees of a request, whatever the framework. */
export interface SeenRequest {
  readonly path: string;
  header(name: string): string | undefined;
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
  readonly headers?: boolean | "draft-11";
  readonly ipv6Prefix?: number;
  readonly onWarning?: (warning: { code: string; message: string }) => void;
}

/** A server whose every path and method is guarded, in order, and then answers 200 with `req.rateLimit` as JSON. */
export interface ServerOptions {
  readonly guards: readonly GuardOptions[];
  /** Proxies that the framework trusts: none, that many, or anyone. */
  readonly trustProxy?: boolean | number;
}

/** A running server. Its error handler answers 500 with {"code", "field", "message"}. */
export interface RunningServer {
  readonly url: string;
  /** How many requests came through all guards. */
  handled(): number;
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

/** Creates a limiter with a bucket, a window and a policy of both, and the clock it runs on. */
export function createSetup(store?: Store) {
  const clock = createManualClock();
  const limiter = createLimiter({
    store: store ?? memoryStore({ clock }),
    policies: {
      api: { limits: [tokenBucket({ capacity: 3, refill: "1/10s" })] },
      login: { limits: [fixedWindow({ limit: 2, window: "1m" })] },
      both: {
        limits: [
          tokenBucket({ capacity: 5, refill: "1/s", name: "burst" }),
          fixedWindow({ limit: 2, window: "1d", name: "daily" }),
        ],
      },
    },
  });
  return { clock, limiter };
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
): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers });
}
