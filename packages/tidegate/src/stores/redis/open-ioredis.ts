// Makes the client of ioredis for an address: what all connections that Tidegate opens itself have in common.

import { createRequire } from "node:module";
import { TidegateError } from "../../errors.ts";
import type { Random } from "../../ports/random.ts";
import type { RedisAddress } from "./redis-url.ts";

/** How long one call may take, from asking for it to its answer, in milliseconds. */
export const CALL_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** Short, so that a Redis that is back is seen within a second; jittered, so that not all nodes come at once. */
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 300;
/** Of TRYAGAIN and CLUSTERDOWN, 100 ms each: they end before the deadline. */
const MAX_REDIRECTIONS = 8;

/** What Tidegate uses of ioredis, with clients as whoever opens one uses them. */
export interface IoredisPackage<Client> {
  readonly Redis: new (options: object) => Client;
  readonly Cluster: new (nodes: object[], options: object) => Client;
}

/**
 * Loads ioredis, which the application installs.
 * @throws TidegateError INVALID_OPTION where it is not installed.
 */
export function loadIoredis<Package>(): Package {
  try {
    return createRequire(import.meta.url)("ioredis") as Package;
  } catch (cause) {
    throw new TidegateError(
      "INVALID_OPTION",
      "url needs the package ioredis, which is not installed: run `npm install ioredis`, or pass a client",
      { field: "url", cause },
    );
  }
}

/**
 * Makes a client. It reconnects by itself, with jitter, and repeats no command.
 * @param options of ioredis for each of its connections, beside those that all have.
 */
export function openIoredis<Client>(
  { Redis, Cluster }: IoredisPackage<Client>,
  address: RedisAddress,
  random: Random,
  options: object,
): Client {
  const retryStrategy = (times: number) => {
    const ceiling = Math.min(RECONNECT_MS_MIN * 2 ** Math.min(times, 10), RECONNECT_MS_MAX);
    return Math.ceil(ceiling * (0.5 + 0.5 * random.next()));
  };
  const { username, password, tls } = address;
  const shared = {
    ...{ username, password, connectTimeout: CONNECT_TIMEOUT_MS, maxRetriesPerRequest: 0 },
    ...{ sentinelCommandTimeout: CALL_TIMEOUT_MS, autoResendUnfulfilledCommands: false },
    ...(tls ? { tls: {} } : {}),
    ...options,
  };
  if (address.kind !== "cluster") {
    return new Redis({ ...shared, ...serverOf(address), db: address.database, retryStrategy });
  }
  return new Cluster([...address.nodes], {
    clusterRetryStrategy: retryStrategy,
    retryDelayOnFailover: 0,
    maxRedirections: MAX_REDIRECTIONS,
    redisOptions: shared,
    // Certificates name hosts, so TLS connects by the names that the Cluster announces.
    ...(tls ? { dnsLookup: keepName } : {}),
  });
}

function serverOf({ kind, nodes, masterName, tls }: RedisAddress) {
  if (kind === "single") return nodes[0]!;
  const secure = tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
  return { sentinels: [...nodes], name: masterName, ...secure };
}

function keepName(name: string, callback: (error: null, address: string) => void): void {
  callback(null, name);
}
