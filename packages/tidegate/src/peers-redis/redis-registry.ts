// Nodes find each other in Redis: each says every few seconds that it is there, and reads who else did. While Redis is
// away the last answer stands.

import { checkOptions } from "../policy/options.ts";
import { systemRandom } from "../runtime/system-random.ts";
import { systemTimer } from "../runtime/system-timer.ts";
import type { RedisCommands } from "../stores/redis/client.ts";
import { openUrl } from "../stores/redis/own-connection.ts";
import { checkRedisPeers, PEERS_OPTIONS, type RedisPeersOptions } from "./check-redis-options.ts";

/** How often a node says that it is there. */
export const ANNOUNCE_EVERY_MS = 3_000;
/** How long that holds: a node that was killed is a member for so long. */
export const ANNOUNCED_MS = 10_000;
const CALL_TIMEOUT_MS = 1_000;
/** Members that are read at most, those that spoke last. */
const MAX_MEMBERS = 1_024;

/**
 * KEYS: a sorted set, member an address, score the millisecond of Redis' clock until which it is one.
 * ARGV: the address, for how long in ms, how many to return.
 * Returns addresses, the latest first.
 */
const ANNOUNCE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZREVRANGE', KEYS[1], 0, ARGV[3] - 1)
`;

/** Options of a registry. */
export interface RedisRegistryOptions extends RedisPeersOptions {
  /** Where other nodes reach this one. */
  readonly address: string;
}

/** A registry of nodes. */
export interface RedisRegistry {
  /** Addresses of the nodes that are there, as of the last answer. */
  members(): readonly string[];
  /** Begins; resolves with the first answer, and where there is none, after a second. Does not reject. */
  open(): Promise<void>;
  /** Takes this node out, and ends. */
  close(): Promise<void>;
}

/**
 * Creates a registry of nodes in Redis.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function redisRegistry(options: RedisRegistryOptions): RedisRegistry {
  checkOptions("redisRegistry", options, [...PEERS_OPTIONS, "address"]);
  checkRedisPeers(options, options.address);
  const { url, random = systemRandom, timer = systemTimer } = options;
  return new Registry(options, openUrl(url, random, timer));
}

class Registry implements RedisRegistry {
  readonly #options: RedisRegistryOptions;
  readonly #key: string;
  readonly #commands: RedisCommands;
  #members: readonly string[] = [];
  #away: boolean | undefined;
  #closed = false;
  #cancel: () => void = () => undefined;

  constructor(options: RedisRegistryOptions, commands: RedisCommands) {
    this.#options = options;
    this.#key = `${options.prefix ?? "tidegate"}:gossip:members`;
    this.#commands = commands;
  }

  members(): readonly string[] {
    return this.#members;
  }

  async open(): Promise<void> {
    await this.#announce();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    const { address } = this.#options;
    // Where Redis does not answer, the announcement ends by itself.
    await this.#send(["ZREM", this.#key, address]).catch(() => undefined);
    this.#commands.close?.();
  }

  #send(args: string[]): Promise<unknown> {
    return this.#commands.send(this.#key, args, CALL_TIMEOUT_MS);
  }

  async #announce(): Promise<void> {
    const { address, changed, timer = systemTimer } = this.#options;
    try {
      const args = [address, String(ANNOUNCED_MS), String(MAX_MEMBERS)];
      const reply = await this.#send(["EVAL", ANNOUNCE, "1", this.#key, ...args]);
      if (this.#closed) return;
      this.#members = Array.isArray(reply) ? reply.map(String) : [];
      if (this.#away === true) changed?.(undefined);
      this.#away = false;
    } catch (error) {
      if (this.#closed) return;
      if (this.#away !== true) changed?.(error as Error);
      this.#away = true;
    }
    this.#cancel = timer.after(ANNOUNCE_EVERY_MS, () => void this.#announce());
  }
}
