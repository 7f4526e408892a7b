// The store that nodes share: every check is decided atomically in Redis, on Redis' clock, and all checks of one turn
// of the event loop go out as one script call. A call is never repeated where it may have been carried out.

import { TidegateError } from "../../errors.ts";
import { checkOptions, optionError, positiveInteger } from "../../policy/options.ts";
import type { Random } from "../../ports/random.ts";
import type { Scheduler } from "../../ports/scheduler.ts";
import type { Store } from "../../ports/store.ts";
import { createSystemClock } from "../../runtime/system-clock.ts";
import { systemRandom } from "../../runtime/system-random.ts";
import { systemScheduler } from "../../runtime/system-scheduler.ts";
import { systemTimer } from "../../runtime/system-timer.ts";
import { adaptClient, type RedisClient } from "./client.ts";
import { InRedis } from "./in-redis.ts";
import { createKeyNames, type HashTag } from "./key.ts";
import { openUrl } from "./own-connection.ts";
import { readScripts } from "./script.ts";

/** Options of the Redis store: a `url` or a `client`. */
export interface RedisStoreOptions {
  /**
   * Where to connect, with ioredis: redis://, rediss:// (TLS), redis+cluster://host,host or
   * redis+sentinel://host,host/master-name.
   */
  readonly url?: string;
  /**
   * A client of ioredis or redis that the application has; it is not closed. Set ioredis'
   * `autoResendUnfulfilledCommands: false`, or a reconnect may charge a check twice.
   */
  readonly client?: RedisClient;
  /** What keys start with; default "tidegate". */
  readonly prefix?: string;
  /**
   * Places keys in a Cluster: keys for which it returns the same text share a slot, and checkEvery() over them is one
   * step. Left out, each policy key has a slot of its own. All nodes must have the same; changing it forgets counts.
   */
  readonly hashTag?: HashTag;
  /** Checks in one script call at most, 1 to 1,000; default 128. Redis serves nobody else while a script runs. */
  readonly maxBatch?: number;
  /** Spreads the reconnects of a `url`. */
  readonly random?: Random;
  readonly scheduler?: Scheduler;
}

const DEFAULT_MAX_BATCH = 128;

/**
 * Creates a store on Redis 6 or later, or Valkey. Limiters with the same Redis, prefix and policies share counts.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function redisStore(options: RedisStoreOptions): Store {
  checkOptions("redisStore", options, [
    "url",
    "client",
    "prefix",
    "hashTag",
    "maxBatch",
    "random",
    "scheduler",
  ]);
  const { url, client, random, scheduler, hashTag, prefix = "tidegate" } = options;
  if ((url === undefined) === (client === undefined)) {
    throw new TidegateError(
      "INVALID_OPTION",
      `redisStore must be given either url or client, got ${url === undefined ? "neither" : "both"}`,
      { field: "url" },
    );
  }
  if (typeof prefix !== "string" || !/^[\w.:-]{1,64}$/.test(prefix)) {
    throw optionError("prefix", '1 to 64 letters, digits, ".", ":", "_" or "-"', prefix);
  }
  if (hashTag !== undefined && typeof hashTag !== "function") {
    throw optionError("hashTag", "a function of a policy and a key that returns a text", hashTag);
  }
  if (random !== undefined && typeof random?.next !== "function") {
    throw optionError("random", "an object with next()", random);
  }
  if (random !== undefined && client !== undefined) {
    throw new TidegateError(
      "INVALID_OPTION",
      "random spreads the reconnects of a url, and a client reconnects by itself; leave random out",
      { field: "random" },
    );
  }
  if (scheduler !== undefined && typeof scheduler?.afterTurn !== "function") {
    throw optionError("scheduler", "an object with afterTurn()", scheduler);
  }
  const maxBatch =
    options.maxBatch === undefined
      ? DEFAULT_MAX_BATCH
      : positiveInteger("maxBatch", options.maxBatch, 1_000);
  const commands =
    client === undefined ? openUrl(url!, random ?? systemRandom, systemTimer) : adaptClient(client);
  return new InRedis(commands, readScripts(), {
    prefix,
    nameOf: createKeyNames(prefix, hashTag),
    maxBatch,
    scheduler: scheduler ?? systemScheduler,
    timer: systemTimer,
    clock: createSystemClock(),
  });
}
