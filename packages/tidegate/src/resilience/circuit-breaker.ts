// A circuit breaker: stops asking a store node that does not answer, and finds out by itself when it does again. What
// probes is a call of its own on a timer, so no request waits for one. Source: M. Nygard, "Release It!", 2007.

import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { CircuitState } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";

/** So many calls that fail one after the other open it. */
const CONSECUTIVE = 5;
/** So does this share of the calls of the last 5 to 10 s, of at least so many. */
const SHARE = 0.5;
const CALLS_MIN = 20;
const SPAN_US = 5_000_000;

/** Time to the first probe and to the last ones, which bounds how long a recovery goes unseen. */
const PROBE_MS_MIN = 100;
const PROBE_MS_MAX = 500;

/** What a circuit breaker is made of. */
export interface CircuitBreakerOptions {
  /** Asks the node; rejects where it does not answer in time. */
  readonly probe: () => Promise<void>;
  readonly changed: (state: CircuitState, reason: string | undefined) => void;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Random;
}

interface Calls {
  good: number;
  bad: number;
}

/** The circuit to one node. */
export class CircuitBreaker {
  /** Nothing is asked but where it is closed. */
  state: CircuitState = "closed";
  /** Changes whenever it opens: how calls ended that began before says nothing of the node as it is. */
  generation = 0;
  /** What the call or probe said that opened it last. */
  reason = "";
  readonly #options: CircuitBreakerOptions;
  #consecutive = 0;
  #span: Calls = { good: 0, bad: 0 };
  #spanBefore: Calls = { good: 0, bad: 0 };
  #spanStartUs = 0;
  /** Probes since a call last succeeded; each waits longer. */
  #probes = 0;
  #probeAtUs = 0;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** Milliseconds until the next probe ends the waiting, if it does; 0 where it is closed or probing. */
  get untilProbeMs(): number {
    if (this.state !== "open") return 0;
    const leftUs = this.#probeAtUs - this.#options.clock.now();
    // A clock that was stepped back must not make it long.
    return Math.min(Math.max(Math.ceil(leftUs / 1_000), 0), PROBE_MS_MAX);
  }

  /** Counts a call that was answered. */
  succeeded(generation: number): void {
    if (generation !== this.generation) return;
    this.#consecutive = 0;
    this.#probes = 0;
    this.#recent().good += 1;
  }

  /** Counts a call that was not. */
  failed(generation: number, reason: string): void {
    if (generation !== this.generation || this.state !== "closed") return;
    this.#consecutive += 1;
    this.#recent().bad += 1;
    const good = this.#span.good + this.#spanBefore.good;
    const bad = this.#span.bad + this.#spanBefore.bad;
    const often = good + bad >= CALLS_MIN && bad >= SHARE * (good + bad);
    if (this.#consecutive >= CONSECUTIVE || often) this.#open(reason);
  }

  /** Ends the probes. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #recent(): Calls {
    const age = this.#options.clock.now() - this.#spanStartUs;
    // Also where the clock was stepped back.
    if (age >= SPAN_US || age < 0) {
      const isNext = age >= 0 && age < 2 * SPAN_US;
      this.#spanBefore = isNext ? this.#span : { good: 0, bad: 0 };
      this.#span = { good: 0, bad: 0 };
      this.#spanStartUs += isNext ? SPAN_US : age;
    }
    return this.#span;
  }

  #open(reason: string): void {
    if (this.#stopped) return;
    this.generation += 1;
    this.reason = reason;
    const { clock, random, timer } = this.#options;
    const ceiling = Math.min(PROBE_MS_MIN * 2 ** Math.min(this.#probes, 8), PROBE_MS_MAX);
    const delayMs = Math.ceil(ceiling * (0.5 + 0.5 * random.next()));
    this.#probes += 1;
    this.#probeAtUs = clock.now() + delayMs * 1_000;
    this.#cancel = timer.after(delayMs, () => void this.#probe());
    this.#change("open", reason);
  }

  async #probe(): Promise<void> {
    this.#change("half-open", undefined);
    try {
      await this.#options.probe();
    } catch (error) {
      this.#open(error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.#stopped) return;
    this.#consecutive = 0;
    this.#span = { good: 0, bad: 0 };
    this.#spanBefore = { good: 0, bad: 0 };
    this.#change("closed", undefined);
  }

  #change(state: CircuitState, reason: string | undefined): void {
    this.state = state;
    this.#options.changed(state, reason);
  }
}
