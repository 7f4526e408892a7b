// A connection of ioredis that is subscribed to one channel, and is again each time that it is made anew.

import type { Random } from "../ports/random.ts";
import { type IoredisPackage, loadIoredis, openIoredis } from "../stores/redis/open-ioredis.ts";
import { parseRedisUrl } from "../stores/redis/redis-url.ts";

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

/**
 * Opens it.
 * @throws TidegateError INVALID_OPTION where the URL is wrong or ioredis is not installed.
 */
export function openSubscriber(
  url: string,
  channel: string,
  random: Random,
  { subscribed, receive }: SubscriberEvents,
): Subscriber {
  const ioredis = loadIoredis<IoredisPackage<SubscribingClient>>();
  // ioredis subscribes again by itself only to what it was once subscribed to: that is done here, at each "ready".
  const client = openIoredis(ioredis, parseRedisUrl(url), random, { autoResubscribe: false });
  // Without a listener the client would print each error; the publishing side tells of a Redis that is away.
  client.on("error", () => undefined);
  client.on("messageBuffer", (_channel, message) => receive(message));
  client.on("ready", () => {
    client.subscribe(channel).then(subscribed, () => undefined);
  });
  return {
    reconnect: () => client.disconnect(true),
    close: () => client.disconnect(),
  };
}

interface SubscribingClient {
  on(event: "error" | "ready", listener: () => void): unknown;
  on(event: "messageBuffer", listener: (channel: Buffer, message: Buffer) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}
