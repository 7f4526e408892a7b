// What one turn of the event loop asks of one node of the store, under one deadline: a timer for all of it, and one
// vote on the node's circuit however many checks there are.

import { TidegateError } from "../errors.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";

/** Says that a call of the store took too long. */
export class DeadlineError extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within the deadline of ${deadlineMs} ms`);
  }
}

/** One answer that is waited for. */
interface Waiting {
  expire(): void;
}

/** Is told how a call ended. */
export interface Listener<T> {
  /** Answers in place of the store. */
  readonly instead: (error: Error) => T;
  readonly arrived?: (answer: T) => void;
  /** The answer came after its time. */
  readonly late?: (answer: T) => void;
}

/** Whether an error says that the store gave no answer. */
export function isUnavailable(error: unknown): error is TidegateError {
  return error instanceof TidegateError && error.code === "STORE_UNAVAILABLE";
}

/** What a flight needs. */
export interface FlightOptions {
  readonly breaker: CircuitBreaker;
  readonly deadlineMs: number;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  /** When it is asked, in microseconds of this node's clock. */
  readonly askedAt: number;
}

/** Calls that go out together. */
export class Flight {
  readonly askedAt: number;
  readonly #options: FlightOptions;
  readonly #generation: number;
  readonly #waiting = new Set<Waiting>();
  #cancel: (() => void) | undefined;
  #succeeded = false;
  #failed = false;

  constructor(options: FlightOptions) {
    this.#options = options;
    this.askedAt = options.askedAt;
    this.#generation = options.breaker.generation;
  }

  /**
   * Passes `answer` on where it comes in time. Where it does not, or says that the store is away, answers with what
   * `instead` returns, or rejects with what it throws.
   */
  wait<T>(answer: Promise<T>, { instead, arrived, late }: Listener<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const give = (error: Error) => {
        try {
          resolve(instead(error));
        } catch (failure) {
          reject(failure);
        }
      };
      const waiting: Waiting = {
        expire: () => {
          settled = true;
          const error = new DeadlineError(this.#options.deadlineMs);
          this.#fail(error);
          give(error);
        },
      };
      this.#add(waiting);
      answer.then(
        (value) => {
          if (settled) {
            late?.(value);
            return;
          }
          this.#remove(waiting);
          this.#succeed();
          arrived?.(value);
          resolve(value);
        },
        (error: unknown) => {
          if (settled) return;
          this.#remove(waiting);
          if (isUnavailable(error)) {
            this.#fail(error);
            give(error);
            return;
          }
          this.#succeed();
          reject(error);
        },
      );
    });
  }

  #add(waiting: Waiting): void {
    this.#waiting.add(waiting);
    if (this.#cancel !== undefined) return;
    const { timer, scheduler, deadlineMs } = this.#options;
    // Where this process was busy for that long, what has arrived meanwhile is read first.
    this.#cancel = timer.after(deadlineMs, () => scheduler.afterTurn(() => this.#expire()));
  }

  #remove(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #expire(): void {
    this.#cancel = undefined;
    for (const waiting of this.#waiting) waiting.expire();
    this.#waiting.clear();
  }

  #succeed(): void {
    if (this.#succeeded) return;
    this.#succeeded = true;
    this.#options.breaker.succeeded(this.#generation);
  }

  #fail({ message }: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.breaker.failed(this.#generation, message);
  }
}
