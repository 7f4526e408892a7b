// The clients of Redis that Tidegate works with, seen through the few calls that it makes. An application passes the
// client it already has; nothing of ioredis or redis is imported here but for a URL.

import { createRequire } from "node:module";
import { TidegateError } from "../../errors.ts";
import { optionError } from "../../policy/options.ts";
import type { Random } from "../../ports/random.ts";
import { parseRedisUrl, type RedisAddress } from "./redis-url.ts";

/** A client of ioredis 5 or later: `Redis`, or `Cluster`, which has `isCluster`. */
export interface IoredisLike {
  call(command: string, ...args: string[]): Promise<unknown>;
  evalsha(sha: string, keyCount: number, ...args: string[]): Promise<unknown>;
  readonly isCluster?: boolean;
}

/** A client of redis 4 or later made by createClient or createClientPool. */
export interface NodeRedisLike {
  sendCommand(args: string[]): Promise<unknown>;
  evalSha(...args: never[]): Promise<unknown>;
}

/** A client of redis 4 or later made by createCluster. */
export interface NodeRedisClusterLike {
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
  ): Promise<unknown>;
  evalSha(...args: never[]): Promise<unknown>;
  readonly slots: unknown;
}

/** A client of redis 5 or later made by createSentinel. */
export interface NodeRedisSentinelLike {
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>;
  evalSha(...args: never[]): Promise<unknown>;
  getMasterNode(): unknown;
}

/** Any of the clients that redisStore takes. */
export type RedisClient =
  | IoredisLike
  | NodeRedisLike
  | NodeRedisClusterLike
  | NodeRedisSentinelLike;

/** What the store needs of a client. */
export interface RedisCommands {
  /** Whether keys of different slots may be on different servers. */
  readonly cluster: boolean;
  /** Sends a command to the server that has `key`. */
  send(key: string, args: string[]): Promise<unknown>;
  /** Closes the connection, where the store opened it. */
  close(): void;
}

/**
 * Adapts a client that the application owns, and never closes it.
 * @throws TidegateError INVALID_OPTION where it looks like none that is known.
 */
export function adaptClient(client: RedisClient): RedisCommands {
  const seen = client as Partial<IoredisLike & NodeRedisClusterLike & NodeRedisSentinelLike>;
  const close = () => {};
  if (typeof seen?.evalsha === "function" && typeof seen.call === "function") {
    const ioredis = client as IoredisLike;
    return {
      cluster: ioredis.isCluster === true,
      send: (_key, args) => ioredis.call(args[0]!, ...args.slice(1)),
      close,
    };
  }
  if (typeof seen?.evalSha === "function" && typeof seen.sendCommand === "function") {
    if (typeof seen.getMasterNode === "function") {
      const sentinel = client as NodeRedisSentinelLike;
      return { cluster: false, send: (_key, args) => sentinel.sendCommand(false, args), close };
    }
    if ("slots" in client) {
      const cluster = client as NodeRedisClusterLike;
      return { cluster: true, send: (key, args) => cluster.sendCommand(key, false, args), close };
    }
    const single = client as NodeRedisLike;
    return { cluster: false, send: (_key, args) => single.sendCommand(args), close };
  }
  throw optionError("client", "a client of the package ioredis or redis", client);
}

/** How long one command may take with a client that the store opened, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS_MAX = 2_000;

/**
 * Opens a connection with ioredis, which the application installs. It reconnects by itself, with jitter, and never
 * repeats a command that may have been carried out.
 * @throws TidegateError INVALID_OPTION where the URL is wrong or ioredis is not installed.
 */
export function openUrl(url: string, random: Random): RedisCommands {
  const address = parseRedisUrl(url);
  const { Redis, Cluster } = loadIoredis();
  const retryStrategy = (times: number) => {
    const ceiling = Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MS_MAX);
    return Math.ceil(ceiling * (0.5 + 0.5 * random.next()));
  };
  const shared = {
    username: address.username,
    password: address.password,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    ...(address.tls ? { tls: {} } : {}),
  };
  const client =
    address.kind === "cluster"
      ? new Cluster([...address.nodes], {
          clusterRetryStrategy: retryStrategy,
          retryDelayOnFailover: 0,
          redisOptions: shared,
          // Certificates name hosts, so TLS connects by the names that the Cluster announces.
          ...(address.tls ? { dnsLookup: keepName } : {}),
        })
      : new Redis({ ...shared, ...serverOf(address), db: address.database, retryStrategy });
  // Without a listener the client would print each error. What it tells those who wait is how often it tried, so the
  // reason is kept for them.
  let lastError: unknown;
  client.on("error", (error) => {
    lastError = error;
  });
  return {
    cluster: address.kind === "cluster",
    send: (_key, args) => {
      return client.call(args[0]!, ...args.slice(1)).catch((error: unknown) => {
        throw withoutConnection(error) ? connectionError(lastError ?? error) : error;
      });
    },
    close: () => client.disconnect(),
  };
}

/** Whether ioredis gave a command up because it had no connection. */
function withoutConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "MaxRetriesPerRequestError" ||
      error.name === "ClusterAllFailedError" ||
      error.message.startsWith("Connection is closed"))
  );
}

function connectionError(cause: unknown): Error {
  const { lastNodeError } = cause as { lastNodeError?: unknown };
  const error = lastNodeError ?? cause;
  // A host with several addresses fails with an AggregateError, which has a code but no message.
  const { message, code } = error as { message?: string; code?: string };
  return new Error(`no connection (${message || code || String(error)})`, { cause });
}

function serverOf(address: RedisAddress) {
  if (address.kind === "single") return address.nodes[0]!;
  return {
    sentinels: [...address.nodes],
    name: address.masterName,
    ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

function keepName(name: string, callback: (error: null, address: string) => void): void {
  callback(null, name);
}

interface OwnClient extends IoredisLike {
  on(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

interface IoredisPackage {
  readonly Redis: new (options: object) => OwnClient;
  readonly Cluster: new (nodes: object[], options: object) => OwnClient;
}

function loadIoredis(): IoredisPackage {
  try {
    return createRequire(import.meta.url)("ioredis") as IoredisPackage;
  } catch (cause) {
    throw new TidegateError(
      "INVALID_OPTION",
      "url needs the package ioredis, which is not installed: run `npm install ioredis`, or pass a client",
      { field: "url", cause },
    );
  }
}
