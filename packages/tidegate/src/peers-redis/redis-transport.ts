// Carries the gossip through Redis, where nodes reach a Redis and not each other: a channel for each node. Redis keeps
// nothing of it but who is there.

import { checkOptions, optionError } from "../policy/options.ts";
import type { Transport } from "../ports/transport.ts";
import { createSystemName } from "../runtime/system-name.ts";
import { systemRandom } from "../runtime/system-random.ts";
import { systemTimer } from "../runtime/system-timer.ts";
import type { RedisCommands } from "../stores/redis/client.ts";
import { openUrl } from "../stores/redis/own-connection.ts";
import { checkRedisPeers, PEERS_OPTIONS, type RedisPeersOptions } from "./check-redis-options.ts";
import { openSubscriber, type Subscriber } from "./open-subscriber.ts";
import { type RedisRegistry, redisRegistry } from "./redis-registry.ts";

/** Messages that wait at most; the newest says more than the oldest. */
export const MAX_QUEUE = 32;
const MAX_IN_FLIGHT = 8;
/** How long Redis may take to pass a message on. */
const PUBLISH_TIMEOUT_MS = 1_000;
/** How often this node speaks to itself, so that a subscription that is silent is told from one that is dead. */
export const ECHO_EVERY_MS = 2_000;
/** How long an opening waits until this node hears itself. */
const OPEN_TIMEOUT_MS = 2_000;
const FLUSH_MS = 800;

/** What a node says to itself; no message of the gossip is empty. */
const ECHO = new Uint8Array(0);

/** Options of a transport. */
export interface RedisTransportOptions extends RedisPeersOptions {
  /** Names this node among the others, and no other may have it; default: the machine's name, and a random part. */
  readonly address?: string;
  /** Is told of each message that is given up: too many waited, or Redis or the node did not take it. */
  readonly lost?: (reason: "queue" | "unreachable") => void;
}

/**
 * Creates a transport on the pub/sub of Redis 6 or later, or Valkey, with two connections and a registry of the nodes.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function redisTransport(options: RedisTransportOptions): Transport {
  checkOptions("redisTransport", options, [...PEERS_OPTIONS, "address", "lost"]);
  const { address = createSystemName(), lost, ...shared } = options;
  checkRedisPeers(shared, address);
  if (lost !== undefined && typeof lost !== "function") {
    throw optionError("lost", "a function", lost);
  }
  return new RedisTransport(options, address, redisRegistry({ ...shared, address }));
}

interface Waiting {
  readonly channel: string;
  readonly message: Uint8Array;
}

class RedisTransport implements Transport {
  readonly address: string;
  readonly #options: RedisTransportOptions;
  readonly #registry: RedisRegistry;
  readonly #publisher: RedisCommands;
  readonly #queue: Waiting[] = [];
  #subscriber: Subscriber | undefined;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #ended = false;
  /** Whether this node has heard itself since it last spoke to itself. */
  #heard = false;
  #whenHeard: (() => void) | undefined;
  #whenIdle: (() => void) | undefined;
  #cancel: () => void = () => undefined;

  constructor(options: RedisTransportOptions, address: string, registry: RedisRegistry) {
    const { url, random = systemRandom } = options;
    this.address = address;
    this.#options = options;
    this.#registry = registry;
    this.#publisher = openUrl(url, random, this.#timer);
  }

  async open(receive: (message: Uint8Array) => void): Promise<void> {
    const { url, random = systemRandom } = this.#options;
    const heard = this.#within(OPEN_TIMEOUT_MS, (resolve) => {
      this.#whenHeard = resolve;
    });
    this.#subscriber = openSubscriber(url, this.#channelOf(this.address), random, {
      subscribed: () => this.#speak(),
      receive: (message) => {
        if (message.length > 0) receive(message);
        else this.#hear();
      },
    });
    await Promise.all([this.#registry.open(), heard]);
  }

  send(address: string, message: Uint8Array): void {
    if (this.#closing !== undefined) {
      this.#options.lost?.("unreachable");
      return;
    }
    this.#queue.push({ channel: this.#channelOf(address), message });
    if (this.#queue.length > MAX_QUEUE) {
      this.#queue.shift();
      this.#options.lost?.("queue");
    }
    this.#pump();
  }

  members(): readonly string[] {
    return this.#registry.members();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#cancel();
    const flushed = this.#within(FLUSH_MS, (resolve) => {
      this.#whenIdle = resolve;
      this.#noteIdle();
    });
    await Promise.all([flushed, this.#registry.close()]);
    this.#ended = true;
    for (const _ of this.#queue.splice(0)) this.#options.lost?.("unreachable");
    this.#subscriber?.close();
    this.#publisher.close?.();
  }

  get #timer() {
    return this.#options.timer ?? systemTimer;
  }

  #channelOf(address: string): string {
    return `${this.#options.prefix ?? "tidegate"}:gossip:to:${address}`;
  }

  #pump(): void {
    while (!this.#ended && this.#inFlight < MAX_IN_FLIGHT && this.#queue.length > 0) {
      const { channel, message } = this.#queue.shift()!;
      this.#inFlight += 1;
      this.#publish(channel, message)
        .catch(() => 0)
        .then((receivers) => {
          this.#inFlight -= 1;
          if (receivers === 0) this.#options.lost?.("unreachable");
          this.#pump();
          this.#noteIdle();
        });
    }
  }

  /** Resolves to how many took it; in a Cluster, where that is not known, to -1. */
  async #publish(channel: string, message: Uint8Array): Promise<number> {
    // ioredis writes bytes as they are, among words.
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const args = ["PUBLISH", channel, bytes as unknown as string];
    const receivers = await this.#publisher.send(channel, args, PUBLISH_TIMEOUT_MS);
    return this.#publisher.cluster ? -1 : Number(receivers);
  }

  /** Speaks to itself from now on, until it does not hear itself: then the subscription is made anew. */
  #speak(): void {
    if (this.#closing !== undefined) return;
    this.#cancel();
    this.#heard = false;
    let taken = false;
    this.#publish(this.#channelOf(this.address), ECHO).then(
      () => {
        taken = true;
      },
      // Redis itself is away.
      () => undefined,
    );
    this.#cancel = this.#timer.after(ECHO_EVERY_MS, () => {
      if (taken && !this.#heard) this.#subscriber?.reconnect();
      this.#speak();
    });
  }

  #hear(): void {
    this.#heard = true;
    this.#whenHeard?.();
  }

  #noteIdle(): void {
    if (this.#inFlight === 0 && this.#queue.length === 0) this.#whenIdle?.();
  }

  /** Waits until what is given to `start` is called, and no longer than `ms`. */
  #within(ms: number, start: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#timer.after(ms, resolve);
      start(() => {
        cancel();
        resolve();
      });
    });
  }
}
