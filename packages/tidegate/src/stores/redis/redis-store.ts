// The store that nodes share: every check is decided atomically in Redis, on Redis' clock, and all checks of one turn
// of the event loop go out as one script call. A call is never repeated where it may have been carried out.

import type { Decision } from "../../decision.ts";
import { TidegateError } from "../../errors.ts";
import { checkOptions, optionError, positiveInteger } from "../../policy/options.ts";
import type { Policy } from "../../policy/policy.ts";
import { Listeners } from "../../ports/listeners.ts";
import type { Random } from "../../ports/random.ts";
import type { Scheduler } from "../../ports/scheduler.ts";
import type { Store } from "../../ports/store.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Timer } from "../../ports/timer.ts";
import { systemRandom } from "../../runtime/system-random.ts";
import { systemScheduler } from "../../runtime/system-scheduler.ts";
import { systemTimer } from "../../runtime/system-timer.ts";
import { Batch } from "./batch.ts";
import { adaptClient, type RedisClient, type RedisCommands } from "./client.ts";
import { storeUnavailable, tooManyWaiting } from "./faults.ts";
import { redisKey, slotOf } from "./key.ts";
import { CALL_TIMEOUT_MS, openUrl } from "./own-connection.ts";
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
  /** Spreads the reconnects of a `url`. */
  readonly random?: Random;
  readonly scheduler?: Scheduler;
}

const DEFAULT_MAX_BATCH = 128;

/** Cluster slot of batches where there is no Cluster. */
const ANY_SLOT = -1;

/** Checks that may wait for their answers: a second of more than one process decides, in tens of megabytes. */
const MAX_WAITING_CHECKS = 100_000;
/** Calls in flight: one for each check where there is a Cluster, and so about a kilobyte each. */
const MAX_WAITING_CALLS = 10_000;

/** Writes, as a check does: a Redis that answers PING may be loading, read-only, full or without scripts. */
const PROBE = "return redis.call('SET', KEYS[1], '', 'PX', 1000)";

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
  const { url, client, random, scheduler, prefix = "tidegate" } = options;
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
  const script = createScript(readDecideScript());
  return new InRedis(commands, script, prefix, maxBatch, scheduler ?? systemScheduler);
}

/** The store over commands that exist. Tests give it a script of their own. */
export class InRedis implements Store {
  readonly shared = true;
  readonly #commands: RedisCommands;
  readonly #script: Script;
  readonly #prefix: string;
  readonly #maxBatch: number;
  readonly #scheduler: Scheduler;
  readonly #timer: Timer;
  /** By slot. A new map for each turn: see #flush. */
  #batches = new Map<number, Batch>();
  /** What will have settled when all that was asked until now is answered. None of them rejects. */
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Resets under way, by Redis key, for the checks of their keys to wait for. */
  readonly #resets = new Map<string, Promise<void>>();
  readonly #listeners = new Listeners();
  #waitingChecks = 0;
  #scheduled = false;
  #users = 0;
  #closed = false;

  constructor(
    commands: RedisCommands,
    script: Script,
    prefix: string,
    maxBatch: number,
    scheduler: Scheduler,
    timer: Timer = systemTimer,
  ) {
    this.#commands = commands;
    this.#script = script;
    this.#prefix = prefix;
    this.#maxBatch = maxBatch;
    this.#scheduler = scheduler;
    this.#timer = timer;
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Promise<Decision> {
    if (this.#resets.size > 0) {
      const reset = this.#resets.get(redisKey(this.#prefix, policy.name, key));
      if (reset !== undefined) {
        // Not decide() again: a later reset of the key waits for this check, and would be waited for.
        return this.#track(reset.then(() => this.#ask(policy, key, cost, consume)));
      }
    }
    return this.#ask(policy, key, cost, consume);
  }

  #ask(policy: Policy, key: string, cost: number, consume: boolean): Promise<Decision> {
    if (this.#waitingChecks >= MAX_WAITING_CHECKS) {
      return Promise.reject(tooManyWaiting(`${MAX_WAITING_CHECKS} checks`));
    }
    if (this.#inFlight.size >= MAX_WAITING_CALLS) {
      return Promise.reject(tooManyWaiting(`${MAX_WAITING_CALLS} calls`));
    }
    this.#waitingChecks += 1;
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

  reset(policy: Policy, key: string): Promise<void> {
    this.#flush();
    const name = redisKey(this.#prefix, policy.name, key);
    // A client of several connections keeps no order, nor does a script that is sent again; so this waits for what was
    // asked before it, and checks of the key wait for this.
    const reset = this.#track(Promise.allSettled(this.#inFlight).then(() => this.#unlink(name)));
    this.#resets.set(name, reset);
    const forget = () => {
      if (this.#resets.get(name) === reset) this.#resets.delete(name);
    };
    reset.then(forget, forget);
    return reset;
  }

  async ping(): Promise<void> {
    const probe = `${this.#prefix}:ping`;
    try {
      await this.#call(probe, "ping", ["EVAL", PROBE, "1", probe]);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** @throws TidegateError INVALID_OPTION where the store's own connection is closed. */
  acquire(telemetry: Telemetry | undefined): void {
    if (this.#closed) {
      throw new TidegateError(
        "INVALID_OPTION",
        "store must be an open store, got one that was closed with its last limiter; create one with redisStore()",
        { field: "store" },
      );
    }
    this.#users += 1;
    this.#listeners.add(telemetry);
  }

  async release(telemetry: Telemetry | undefined): Promise<void> {
    this.#flush();
    await this.#settled();
    this.#listeners.remove(telemetry);
    this.#users -= 1;
    if (this.#users > 0 || this.#commands.close === undefined) return;
    this.#closed = true;
    this.#commands.close();
  }

  /** Resolves when all that is in flight is answered, or at the deadline: a client may wait for ever. */
  #settled(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#timer.after(CALL_TIMEOUT_MS, resolve);
      Promise.allSettled(this.#inFlight).then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #unlink(name: string): Promise<void> {
    try {
      await this.#call(name, "unlink", ["UNLINK", name]);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<void> = work.then(
      () => void this.#inFlight.delete(settled),
      () => void this.#inFlight.delete(settled),
    );
    this.#inFlight.add(settled);
    return work;
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
      .catch((error) => batch.fail(this.#fault(error)))
      .then(() => {
        this.#waitingChecks -= batch.size;
        this.#inFlight.delete(call);
      });
    this.#inFlight.add(call);
  }

  #fault(error: unknown): TidegateError {
    return storeUnavailable(error, this.#commands.cluster);
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
      this.#listeners.storeCalled(operation, "ok");
      return reply;
    } catch (error) {
      this.#listeners.storeCalled(operation, "error");
      throw error;
    }
  }
}
