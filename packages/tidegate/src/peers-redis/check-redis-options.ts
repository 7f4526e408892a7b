// Checks what the registry and the transport are given alike.

import { checkPort, optionError } from "../policy/options.ts";
import type { Random } from "../ports/random.ts";
import type { Timer } from "../ports/timer.ts";
import { parseRedisUrl } from "../stores/redis/redis-url.ts";

/** The longest address of a node, in characters. */
const MAX_ADDRESS = 300;

/** How nodes find each other in a Redis. */
export interface RedisPeersOptions {
  /** A Redis, with ioredis: redis://, rediss:// (TLS), redis+cluster:// or redis+sentinel://, as of `redisStore`. */
  readonly url: string;
  /** What keys and channels start with; default "tidegate". Nodes with the same Redis and prefix are one cluster. */
  readonly prefix?: string;
  /** Is told each time that Redis answers no more, with the reason, and that it does again, with undefined. */
  readonly changed?: (reason: Error | undefined) => void;
  readonly timer?: Timer;
  /** Spreads reconnects. */
  readonly random?: Random;
}

/** The keys of those options. */
export const PEERS_OPTIONS = ["url", "prefix", "changed", "timer", "random"];

/**
 * Checks them, and the address of this node.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function checkRedisPeers(options: RedisPeersOptions, address: unknown): void {
  const { url, prefix, changed, timer, random } = options;
  parseRedisUrl(url);
  if (prefix !== undefined && !/^[\w.:-]{1,64}$/.test(prefix)) {
    throw optionError("prefix", '1 to 64 letters, digits, ".", ":", "_" or "-"', prefix);
  }
  if (typeof address !== "string" || address === "" || address.length > MAX_ADDRESS) {
    throw optionError("address", `a text of 1 to ${MAX_ADDRESS} characters`, address);
  }
  if (changed !== undefined && typeof changed !== "function") {
    throw optionError("changed", "a function", changed);
  }
  checkPort("timer", timer, "after");
  checkPort("random", random, "next");
}
