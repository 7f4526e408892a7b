// A connection of ioredis that is subscribed to one channel, and is again each time that it is made anew.

import { createRequire } from "node:module";
import type { Random } from "../ports/random.ts";
import { parseRedisUrl, type RedisAddress } from "../stores/redis/redis-url.ts";

const CONNECT_TIMEOUT_MS = 2_000;
const CALL_TIMEOUT_MS = 1_000;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 300;

/** Is told of a subscription. */
export interface SubscriberEvents {
  /** It holds, for the first time or again. */
  readonly subscribed: () => void;
  readonly receive: (message: Uint8Array) => void;
}

/** A subscription. */
export interface Subscriber {
  /** Makes the connection anew. */
  reconnect(): void;
  close(): void;
}

/** Opens it. `openUrl` has found by then that the URL is right and ioredis is there. */
export function openSubscriber(
  url: string,
  channel: string,
  random: Random,
  { subscribed, receive }: SubscriberEvents,
): Subscriber {
  const client = openClient(parseRedisUrl(url), random);
  // Without a listener the client would print each error; the publishing side tells of a Redis that is away.
  client.on("error", () => undefined);
  client.on("messageBuffer", (_channel, message) => receive(message));
  // ioredis subscribes again by itself only to what it was once subscribed to.
  client.on("ready", () => {
    client.subscribe(channel).then(subscribed, () => undefined);
  });
  return {
    reconnect: () => client.disconnect(true),
    close: () => client.disconnect(),
  };
}

function openClient(address: RedisAddress, random: Random): SubscribingClient {
  const { Redis, Cluster } = createRequire(import.meta.url)("ioredis") as IoredisPackage;
  const retryStrategy = (times: number) => {
    const ceiling = Math.min(RECONNECT_MS_MIN * 2 ** Math.min(times, 10), RECONNECT_MS_MAX);
    return Math.ceil(ceiling * (0.5 + 0.5 * random.next()));
  };
  const { username, password, tls, nodes, database } = address;
  const shared = {
    ...{ username, password, connectTimeout: CONNECT_TIMEOUT_MS, maxRetriesPerRequest: 0 },
    ...{ autoResubscribe: false, sentinelCommandTimeout: CALL_TIMEOUT_MS },
    ...(tls ? { tls: {} } : {}),
  };
  if (address.kind === "cluster") {
    return new Cluster([...nodes], {
      clusterRetryStrategy: retryStrategy,
      redisOptions: shared,
      // Certificates name hosts, so TLS connects by the names that the Cluster announces.
      ...(tls ? { dnsLookup: keepName } : {}),
    });
  }
  const secure = tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
  const where =
    address.kind === "single"
      ? { ...nodes[0]!, db: database }
      : { sentinels: [...nodes], name: address.masterName, db: database, ...secure };
  return new Redis({ ...shared, ...where, retryStrategy });
}

function keepName(name: string, callback: (error: null, address: string) => void): void {
  callback(null, name);
}

interface SubscribingClient {
  on(event: "error" | "ready", listener: () => void): unknown;
  on(event: "messageBuffer", listener: (channel: Buffer, message: Buffer) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

interface IoredisPackage {
  readonly Redis: new (options: object) => SubscribingClient;
  readonly Cluster: new (nodes: object[], options: object) => SubscribingClient;
}
