// The clients of Redis that Tidegate works with, seen through the few calls that it makes. An application passes the
// client it already has; nothing of ioredis or redis is imported here.

import { TidegateError } from "../../errors.ts";

/** A client of ioredis 5 or later: `Redis`, or `Cluster`, which has `isCluster`. */
export interface IoredisLike {
  call(command: string, ...args: string[]): Promise<unknown>;
  evalsha(sha: string, keyCount: number, ...args: string[]): Promise<unknown>;
  readonly isCluster?: boolean;
  /** Of a Cluster: the addresses of each slot's nodes, the master first. */
  readonly slots?: readonly (readonly string[] | undefined)[];
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
  readonly slots: readonly ({ readonly master?: { readonly address: string } } | undefined)[];
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
  /** Names the server that has a slot; "" where it is not known. Left out where there is no Cluster. */
  nodeOf?(slot: number): string;
  /**
   * Sends a command to the server that has `key`.
   * @param waitMs how long it may wait for a connection: after that it is not sent. A client of the application's
   *   keeps it as long as that is set to.
   */
  send(key: string, args: string[], waitMs: number): Promise<unknown>;
  /** Closes the connection. Left out where it is the application's. */
  close?(): void;
}

/**
 * Adapts a client that the application owns, and never closes it.
 * @throws TidegateError INVALID_OPTION where it looks like none that is known.
 */
export function adaptClient(client: RedisClient): RedisCommands {
  const seen = client as Partial<IoredisLike & NodeRedisClusterLike & NodeRedisSentinelLike>;
  if (typeof seen?.evalsha === "function" && typeof seen.call === "function") {
    const ioredis = client as IoredisLike;
    const send: RedisCommands["send"] = (_key, args) => ioredis.call(args[0]!, ...args.slice(1));
    if (ioredis.isCluster !== true) return { cluster: false, send };
    return { cluster: true, send, nodeOf: (slot) => ioredis.slots?.[slot]?.[0] ?? "" };
  }
  if (typeof seen?.evalSha === "function" && typeof seen.sendCommand === "function") {
    if (typeof seen.getMasterNode === "function") {
      const sentinel = client as NodeRedisSentinelLike;
      return { cluster: false, send: (_key, args) => sentinel.sendCommand(false, args) };
    }
    if ("slots" in client) {
      const cluster = client as NodeRedisClusterLike;
      return {
        cluster: true,
        send: (key, args) => cluster.sendCommand(key, false, args),
        nodeOf: (slot) => cluster.slots[slot]?.master?.address ?? "",
      };
    }
    const single = client as NodeRedisLike;
    return { cluster: false, send: (_key, args) => single.sendCommand(args) };
  }
  throw new TidegateError(
    "INVALID_OPTION",
    `client must be a client of the package ioredis or redis, got ${kindOf(client)}`,
    { field: "client" },
  );
}

/** Names what a value is and never what is in it, which may be a password. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return `a value of type ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? `an object of class ${name}` : "an object";
}
