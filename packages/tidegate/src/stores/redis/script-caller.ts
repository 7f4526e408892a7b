// Calls Redis and its scripts, and tells of it. Sends a script's text where Redis does not know it, and a call again
// only where Redis has done nothing.

import type { Clock } from "../../ports/clock.ts";
import type { Listeners } from "../../ports/listeners.ts";
import type { ScriptBatch } from "./batch.ts";
import type { RedisCommands } from "./client.ts";
import type { Script } from "./script.ts";

/** How often a call is sent whose calendar windows were not those of Redis' clock. */
const CALENDAR_TRIES = 3;

/** The calls of one store. */
export class ScriptCaller {
  readonly #commands: RedisCommands;
  readonly #clock: Clock;
  readonly #listeners: Listeners;
  /** How far Redis' clock is ahead of this node's, as of the last answer. */
  #aheadUs = 0;

  constructor(commands: RedisCommands, clock: Clock, listeners: Listeners) {
    this.#commands = commands;
    this.#clock = clock;
    this.#listeners = listeners;
  }

  async callScript(batch: ScriptBatch, script: Script): Promise<readonly number[]> {
    const askedAt = this.#clock.now();
    let nowUs = askedAt + this.#aheadUs;
    for (let tried = 1; ; tried += 1) {
      const { keys, args } = batch.call(nowUs);
      const reply = readReply(await this.#evaluate(script, keys, args, batch.deadlineMs, askedAt));
      nowUs = reply[0]!;
      this.#aheadUs = nowUs - this.#clock.now();
      // Now alone says that the calendar windows were those of another time, and that nothing was done.
      if (reply.length > 1 || tried === CALENDAR_TRIES) return reply;
      this.#requireTime(askedAt, batch.deadlineMs);
    }
  }

  /** Throws where nobody waits for the answer any more: what was not carried out must not be now. */
  #requireTime(askedAt: number, deadlineMs: number): void {
    const takenUs = this.#clock.now() - askedAt;
    if (takenUs >= 0 && takenUs < deadlineMs * 1_000) return;
    throw new Error(`no time within ${deadlineMs} ms to send a call again that did nothing`);
  }

  async #evaluate(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    deadlineMs: number,
    askedAt: number,
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.call(keys[0]!, "evalsha", ["EVALSHA", script.sha, ...rest], deadlineMs);
    } catch (error) {
      // Redis has restarted or its scripts were flushed: nothing was carried out, so this one may be sent again.
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      this.#requireTime(askedAt, deadlineMs);
      return this.call(keys[0]!, "eval", ["EVAL", script.text, ...rest], deadlineMs);
    }
  }

  async call(key: string, operation: string, args: string[], waitMs: number): Promise<unknown> {
    try {
      const reply = await this.#commands.send(key, args, waitMs);
      this.#listeners.storeCalled(operation, "ok");
      return reply;
    } catch (error) {
      this.#listeners.storeCalled(operation, "error");
      throw error;
    }
  }
}

/** @throws where it is not a list of integers. */
function readReply(reply: unknown): readonly number[] {
  if (!Array.isArray(reply)) throw new Error(`the script answered ${typeof reply}, not a list`);
  // Clients may be set to answer numbers as strings.
  const numbers: readonly number[] = typeof reply[0] === "number" ? reply : reply.map(Number);
  if (!Number.isSafeInteger(numbers[0])) throw new Error("the script answered no instant");
  return numbers;
}
