// The store that nodes share: every check is decided atomically in Redis, on Redis' clock, and all checks of one turn
// of the event loop go out as one script call. A call is never repeated where it may have been carried out.

import type { Decision } from "../../decision.ts";
import { TidegateError } from "../../errors.ts";
import { checkOptions, optionError, positiveInteger } from "../../policy/options.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Random } from "../../ports/random.ts";
import type { Scheduler } from "../../ports/scheduler.ts";
import type { Store } from "../../ports/store.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import { systemRandom } from "../../runtime/system-random.ts";
import { systemScheduler } from "../../runtime/system-scheduler.ts";
import { Batch } from "./batch.ts";
import { adaptClient, openUrl, type RedisClient, type RedisCommands } from "./client.ts";
import { redisKey, slotOf } from "./key.ts";
import { createScript, readDecideScript, type Script } from "./script.ts";

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
  /** Checks in one script call at most, 1 to 1,000; default 128. Redis serves nobody else while a script runs. */
  readonly maxBatch?: number;
  readonly random?: Random;
  readonly scheduler?: Scheduler;
}

const DEFAULT_MAX_BATCH = 128;

/** Cluster slot of batches where there is no Cluster. */
const ANY_SLOT = -1;

/**
 * Creates a store on Redis 6 or later, or Valkey. Limiters with the same Redis, prefix and policies share counts.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function redisStore(options: RedisStoreOptions): Store {
  checkOptions("redisStore", options, [
    "url",
    "client",
    "prefix",
    "maxBatch",
    "random",
    "scheduler",
  ]);
  const { url, client, prefix = "tidegate" } = options;
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
  const maxBatch =
    options.maxBatch === undefined
      ? DEFAULT_MAX_BATCH
      : positiveInteger("maxBatch", options.maxBatch, 1_000);
  const commands =
    client === undefined ? openUrl(url!, options.random ?? systemRandom) : adaptClient(client);
  const scheduler = options.scheduler ?? systemScheduler;
  return new InRedis(commands, createScript(readDecideScript()), prefix, maxBatch, scheduler);
}

/** The store over commands that exist. Tests give it a script of their own. */
export class InRedis implements Store {
  readonly shared = true;
  readonly #commands: RedisCommands;
  readonly #script: Script;
  readonly #prefix: string;
  readonly #maxBatch: number;
  readonly #scheduler: Scheduler;
  /** By slot. A new map for each turn: see #flush. */
  #batches = new Map<number, Batch>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #scheduled = false;
  #users = 0;
  #telemetry: Telemetry | undefined;

  constructor(
    commands: RedisCommands,
    script: Script,
    prefix: string,
    maxBatch: number,
    scheduler: Scheduler,
  ) {
    this.#commands = commands;
    this.#script = script;
    this.#prefix = prefix;
    this.#maxBatch = maxBatch;
    this.#scheduler = scheduler;
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Promise<Decision> {
    return new Promise((resolve, reject) => {
      const slot = this.#commands.cluster
        ? slotOf(redisKey(this.#prefix, policy.name, key))
        : ANY_SLOT;
      let batch = this.#batches.get(slot);
      if (batch !== undefined && !batch.takes(policy)) {
        this.#send(batch);
        batch = undefined;
      }
      if (batch === undefined) {
        batch = new Batch();
        this.#batches.set(slot, batch);
      }
      batch.add(policy, { key, cost, consume, resolve, reject });
      if (batch.size >= this.#maxBatch) {
        this.#batches.delete(slot);
        this.#send(batch);
      } else if (!this.#scheduled) {
        this.#scheduled = true;
        this.#scheduler.afterTurn(() => this.#flush());
      }
    });
  }

  async reset(policy: Policy, key: string): Promise<void> {
    this.#flush();
    const name = redisKey(this.#prefix, policy.name, key);
    await this.#call(name, "unlink", ["UNLINK", name]).catch(fault);
  }

  async ping(): Promise<void> {
    // A script call, as a check is one: a Redis that answers PING may be loading, read-only or without scripts.
    const probe = `${this.#prefix}:ping`;
    await this.#call(probe, "ping", ["EVAL", "return redis.call('TIME')", "1", probe]).catch(fault);
  }

  acquire(telemetry: Telemetry | undefined): void {
    this.#users += 1;
    this.#telemetry ??= telemetry;
  }

  async release(): Promise<void> {
    this.#flush();
    await Promise.allSettled(this.#inFlight);
    this.#users -= 1;
    if (this.#users === 0) this.#commands.close();
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#batches.size === 0) return;
    const batches = this.#batches;
    // Not clear(): V8 links the table that a map leaves behind to its next one, so that once one of them has become
    // old, every batch after it would outlive the collections of young garbage. They took 10 ms each.
    this.#batches = new Map();
    for (const batch of batches.values()) this.#send(batch);
  }

  #send(batch: Batch): void {
    const call = this.#decideBatch(batch)
      .then((reply) => batch.settle(reply))
      .catch((error) => batch.fail(storeUnavailable(error)));
    this.#inFlight.add(call);
    call.finally(() => this.#inFlight.delete(call));
  }

  async #decideBatch(batch: Batch): Promise<unknown> {
    const keys = batch.keys(this.#prefix);
    const rest = [String(keys.length), ...keys, ...batch.args()];
    try {
      return await this.#call(keys[0]!, "evalsha", ["EVALSHA", this.#script.sha, ...rest]);
    } catch (error) {
      // Redis has restarted or its scripts were flushed: nothing was carried out, so this one may be sent again.
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return this.#call(keys[0]!, "eval", ["EVAL", this.#script.text, ...rest]);
    }
  }

  async #call(key: string, operation: string, args: string[]): Promise<unknown> {
    try {
      const reply = await this.#commands.send(key, args);
      this.#telemetry?.storeCalled?.(operation, "ok");
      return reply;
    } catch (error) {
      this.#telemetry?.storeCalled?.(operation, "error");
      throw error;
    }
  }
}

function fault(error: unknown): never {
  throw storeUnavailable(error);
}

function storeUnavailable(cause: unknown): TidegateError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TidegateError("STORE_UNAVAILABLE", `Redis gave no answer: ${reason}`, { cause });
}
