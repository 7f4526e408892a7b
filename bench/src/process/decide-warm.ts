// One loop over many warm keys that awaits each decision before the next: decisions a second of a limiter in its own
// process, alike for all that are compared.

import type { Decision, Limiter } from "tidegate";

/** What is asked. */
export interface WarmKeys {
  readonly limiter: Pick<Limiter, "check">;
  readonly keys: readonly string[];
  /** Who must decide, and admit. */
  readonly source: Decision["source"];
  /** Lets timers and messages have their turn between chunks, of limiters that work in the background. */
  readonly yields?: boolean;
}

/** Decisions between two looks at the clock. */
const CHUNK = 1_024;
/** Keys that are asked for at once where they are made warm. */
const AT_ONCE = 500;

/** A loop that goes on where it stopped. */
export class WarmLoop {
  readonly #options: WarmKeys;
  #position = 0;

  constructor(options: WarmKeys) {
    this.#options = options;
  }

  /** Decisions a second; undefined where some were not made as they should. */
  async measure(sliceMs: number): Promise<number | undefined> {
    const { keys, yields } = this.#options;
    const started = performance.now();
    let decisions = 0;
    let elapsedMs = 0;
    do {
      if (!(await this.#decide(this.#position, CHUNK))) return undefined;
      if (yields === true) await new Promise<void>((resolve) => setImmediate(resolve));
      decisions += CHUNK;
      this.#position = (this.#position + CHUNK) % keys.length;
      elapsedMs = performance.now() - started;
    } while (elapsedMs < sliceMs);
    return (1_000 * decisions) / elapsedMs;
  }

  /** Asks for every key once. */
  async warm(): Promise<void> {
    const { limiter, keys } = this.#options;
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      const some = keys.slice(from, from + AT_ONCE);
      await Promise.all(some.map((key) => limiter.check({ policy: "api", key })));
    }
  }

  /** Says whether all were admitted by what is measured. */
  async #decide(from: number, count: number): Promise<boolean> {
    const { limiter, keys, source } = this.#options;
    let admitted = 0;
    for (let index = 0, at = from; index < count; index += 1) {
      const decision = await limiter.check({ policy: "api", key: keys[at]! });
      if (decision.allowed && decision.source === source) admitted += 1;
      at += 1;
      if (at === keys.length) at = 0;
    }
    return admitted === count;
  }
}
