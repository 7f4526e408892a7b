// The store over commands of Redis: what one turn of the event loop asks goes out as one call of each script, for each
// Cluster slot. A call is never repeated where it may have been carried out.

import type { Decision } from "../../decision.ts";
import { TidegateError } from "../../errors.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Clock } from "../../ports/clock.ts";
import { Listeners } from "../../ports/listeners.ts";
import type { Scheduler } from "../../ports/scheduler.ts";
import type { AnswerTo, LeaseWork, Outcome, Part, Store, Work } from "../../ports/store.ts";
import type { Telemetry } from "../../ports/telemetry.ts";
import type { Timer } from "../../ports/timer.ts";
import type { ScriptBatch } from "./batch.ts";
import type { RedisCommands } from "./client.ts";
import { storeUnavailable, tooManyWaiting } from "./faults.ts";
import { type KeyNames, slotOf } from "./key.ts";
import { CALL_TIMEOUT_MS } from "./open-ioredis.ts";
import type { Script, Scripts } from "./script.ts";
import { ScriptCaller } from "./script-caller.ts";
import { TurnBatches } from "./turn-batches.ts";
import { partsOf, type StoreWork } from "./work-answer.ts";
import { WorkBatch } from "./work-batch.ts";

/** Cluster slot of batches where there is no Cluster. */
const ANY_SLOT = -1;

/** Checks that may wait for their answers: a second of more than one process decides, in tens of megabytes. */
const MAX_WAITING_CHECKS = 100_000;
/** Calls in flight: one for each check where there is a Cluster, and so about a kilobyte each. */
const MAX_WAITING_CALLS = 10_000;

/** Writes, as a check does: a Redis that answers PING may be loading, read-only, full or without scripts. */
const PROBE = "return redis.call('SET', KEYS[1], '', 'PX', 1000)";

/** Counts the limiters that use the store: those that said so within the last ARGV[2] milliseconds. */
const ANNOUNCE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('ZCARD', KEYS[1])`;

/** Nodes of a Cluster that a key is known of, for probes. */
const MAX_SAMPLES = 10_000;

/** What the store needs besides its commands and scripts. */
export interface InRedisOptions {
  /** What keys start with. */
  readonly prefix: string;
  readonly nameOf: KeyNames;
  readonly maxBatch: number;
  readonly scheduler: Scheduler;
  readonly timer: Timer;
  /** Tells about when it is in Redis, before the first answer. */
  readonly clock: Clock;
}

/** The store over commands that exist. Tests give it scripts of their own. */
export class InRedis implements Store {
  readonly shared = true;
  readonly #commands: RedisCommands;
  readonly #scripts: Scripts;
  readonly #caller: ScriptCaller;
  readonly #options: InRedisOptions;
  readonly #turn: TurnBatches;
  /** What will have settled when all that was asked until now is answered. None of them rejects. */
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Resets under way, by Redis key, for the checks of their keys to wait for. */
  readonly #resets = new Map<string, Promise<void>>();
  /** Of a Cluster: a key of each node. */
  readonly #samples = new Map<string, string>();
  readonly #listeners = new Listeners();
  /** Left out where there is no Cluster, whose only node needs no name. */
  readonly nodeOf?: (policy: Policy, key: string) => string;
  #waitingChecks = 0;
  #scheduled = false;
  #users = 0;
  #closed = false;

  constructor(commands: RedisCommands, scripts: Scripts, options: InRedisOptions) {
    this.#commands = commands;
    this.#scripts = scripts;
    this.#options = options;
    this.#caller = new ScriptCaller(commands, options.clock, this.#listeners);
    this.#turn = new TurnBatches({
      ...options,
      scripts,
      send: (batch, script) => this.#send(batch, script),
    });
    if (commands.cluster && commands.nodeOf !== undefined) {
      this.nodeOf = (policy, key) => this.#nodeOf(policy, key);
    }
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Promise<Decision> {
    if (!policy.plain) {
      const part = { policy, key, cost };
      const work: StoreWork = consume ? { kind: "take", parts: [part] } : { kind: "look", part };
      return this.#run(work).then(({ decision }) => decision);
    }
    if (this.#resets.size > 0) {
      const reset = this.#resets.get(this.#nameOf(policy, key));
      if (reset !== undefined) {
        // Not decide() again: a later reset of the key waits for this check, and would be waited for.
        const ask = () => this.#ask(policy, key, cost, consume);
        return this.#askAfter(reset, policy.deadlineMs, ask);
      }
    }
    return this.#ask(policy, key, cost, consume);
  }

  decideTo(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
    answerTo: AnswerTo<Decision>,
  ): boolean {
    if (!policy.plain || this.#resets.size > 0) return false;
    try {
      this.#askTo(policy, key, cost, consume, answerTo);
    } catch (error) {
      answerTo.reject(error);
    }
    return true;
  }

  borrowTo(work: LeaseWork, answerTo: AnswerTo<Outcome>): boolean {
    if (this.#resets.size > 0) return false;
    try {
      this.#askLease(work, answerTo);
    } catch (error) {
      answerTo.reject(error);
    }
    return true;
  }

  run(work: Work): Promise<Outcome> {
    return this.#run(work);
  }

  #run(work: StoreWork | LeaseWork): Promise<Outcome> {
    if (this.#resets.size > 0) {
      const resets = partsOf(work).flatMap(({ policy, key }) => {
        return this.#resets.get(this.#nameOf(policy, key)) ?? [];
      });
      if (resets.length > 0) {
        const ask = () => this.#askWork(work);
        return this.#askAfter(Promise.all(resets), waitMsOf(work), ask);
      }
    }
    return this.#askWork(work);
  }

  /** Asks when resets are done, unless by then nobody waits for the answer any more. */
  #askAfter<T>(resets: Promise<unknown>, waitMs: number, ask: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const askedAt = clock.now();
    const askInTime = () => {
      if (clock.now() - askedAt < waitMs * 1_000) return ask();
      throw this.#fault(new Error(`the key was not reset within ${waitMs} ms`));
    };
    return this.#track(resets.then(askInTime));
  }

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    if (!this.#commands.cluster) return [parts];
    const bySlot = new Map<number, Part[]>();
    for (const part of parts) {
      const slot = this.#slotOf(part.policy, part.key);
      const own = bySlot.get(slot);
      if (own === undefined) bySlot.set(slot, [part]);
      else own.push(part);
    }
    return [...bySlot.values()];
  }

  /** Names the server of a key, and remembers the key to probe it with. */
  #nodeOf(policy: Policy, key: string): string {
    const name = this.#nameOf(policy, key);
    const node = this.#commands.nodeOf!(slotOf(name));
    if (this.#samples.has(node)) return node;
    if (this.#samples.size >= MAX_SAMPLES) this.#samples.clear();
    this.#samples.set(node, name);
    return node;
  }

  #nameOf(policy: Policy, key: string): string {
    return this.#options.nameOf(policy.name, key);
  }

  #slotOf(policy: Policy, key: string): number {
    return this.#commands.cluster ? slotOf(this.#nameOf(policy, key)) : ANY_SLOT;
  }

  #ask(policy: Policy, key: string, cost: number, consume: boolean): Promise<Decision> {
    return new Promise((resolve, reject) => {
      this.#askTo(policy, key, cost, consume, { resolve, reject });
    });
  }

  #askTo(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
    answerTo: AnswerTo<Decision>,
  ): void {
    this.#requireRoom();
    this.#turn.addCheck(this.#slotOf(policy, key), policy, { key, cost, consume, answerTo });
    this.#asked(1);
  }

  #askLease(work: LeaseWork, answerTo: AnswerTo<Outcome>): void {
    this.#requireRoom();
    const { policy, key } = work.part;
    this.#turn.addLease(this.#slotOf(policy, key), { work, answerTo });
    this.#asked(1);
  }

  #askWork(work: StoreWork | LeaseWork): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (work.kind === "lease") {
        this.#askLease(work, { resolve, reject });
        return;
      }
      this.#requireRoom();
      const parts = partsOf(work);
      const [{ policy, key }] = parts as [Part];
      this.#turn.addWork(this.#slotOf(policy, key), { work, resolve, reject });
      this.#asked(parts.length);
    });
  }

  /** Throws where too many wait for an answer already. */
  #requireRoom(): void {
    if (this.#waitingChecks >= MAX_WAITING_CHECKS) {
      throw tooManyWaiting(`${MAX_WAITING_CHECKS} checks`);
    }
    if (this.#inFlight.size >= MAX_WAITING_CALLS) {
      throw tooManyWaiting(`${MAX_WAITING_CALLS} calls`);
    }
  }

  /** Counts what waits for its answer, and sees that it goes out when the turn ends. */
  #asked(parts: number): void {
    this.#waitingChecks += parts;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.scheduler.afterTurn(() => this.#flush());
  }

  reset(policy: Policy, key: string): Promise<void> {
    this.#flush();
    const name = this.#nameOf(policy, key);
    // A client of several connections keeps no order, nor does a script that is sent again; so this waits for what was
    // asked before it, and checks of the key wait for this.
    const asked = Promise.allSettled(this.#inFlight).then(() => this.#reset(policy, key));
    const reset = this.#track(asked);
    this.#resets.set(name, reset);
    const forget = () => {
      if (this.#resets.get(name) === reset) this.#resets.delete(name);
    };
    reset.then(forget, forget);
    return reset;
  }

  async ping(node?: string): Promise<void> {
    const sample = node === undefined ? undefined : this.#samples.get(node);
    // Behind the braces of another key it lies in the same slot.
    const probe = `${sample ?? this.#options.prefix}:ping`;
    try {
      await this.#caller.call(probe, "ping", ["EVAL", PROBE, "1", probe], CALL_TIMEOUT_MS);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  async announce(limiter: string, ttlMs: number): Promise<number> {
    const key = `${this.#options.prefix}:nodes`;
    const args = ["EVAL", ANNOUNCE, "1", key, limiter, String(ttlMs)];
    try {
      return Number(await this.#caller.call(key, "announce", args, CALL_TIMEOUT_MS));
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** @throws TidegateError INVALID_OPTION where the store's own connection is closed. */
  attach(telemetry: Telemetry | undefined): void {
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

  async detach(telemetry: Telemetry | undefined): Promise<void> {
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
      const cancel = this.#options.timer.after(CALL_TIMEOUT_MS, resolve);
      Promise.allSettled(this.#inFlight).then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #reset(policy: Policy, key: string): Promise<void> {
    const batch = new WorkBatch(this.#options.nameOf);
    const done = new Promise<unknown>((resolve, reject) => {
      batch.add({ work: { kind: "reset", part: { policy, key, cost: 0 } }, resolve, reject });
    });
    try {
      batch.settle(await this.#caller.callScript(batch, this.#scripts.transact));
    } catch (error) {
      batch.fail(this.#fault(error));
    }
    await done;
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
    this.#turn.flush();
  }

  #send(batch: ScriptBatch, script: Script): void {
    const call = this.#caller
      .callScript(batch, script)
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
}

/** How long work may wait to be asked: what gives back is of use however late. */
function waitMsOf(work: StoreWork | LeaseWork): number {
  if (work.kind !== "take") return Number.POSITIVE_INFINITY;
  return Math.max(...work.parts.map(({ policy }) => policy.deadlineMs));
}
