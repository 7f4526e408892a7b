// What one turn of the event loop asks of one node of the store, under one deadline: a timer for all of it, and one
// vote on the node's circuit however many checks there are.

import { isUnavailable } from "../errors.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { AnswerTo } from "../ports/store.ts";
import type { Timer } from "../ports/timer.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";

/** Says that a call of the store took too long. */
export class DeadlineError extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within the deadline of ${deadlineMs} ms`);
  }
}

/** Is told how a call ended. */
export interface Listener<T> {
  /** Answers in place of the store. */
  readonly instead: (error: Error) => T;
  readonly arrived?: (answer: T) => void;
  /** The answer came after its time. */
  readonly late?: (answer: T) => void;
}

/** One answer that is waited for. What passes it on is one object, since there is one for each check. */
export abstract class Call<T> implements AnswerTo<T> {
  #flight: Flight | undefined;
  #answerTo: AnswerTo<T> | undefined;

  /** Answers in place of the store; may throw. */
  protected abstract instead(error: Error): T;
  /** Is told the answer of the store that came in time. */
  protected arrived(_answer: T): void {}
  /** Is told the answer of the store that came after its time. */
  protected late(_answer: T): void {}

  /** Begins to wait. */
  begin(flight: Flight, answerTo: AnswerTo<T>): void {
    this.#flight = flight;
    this.#answerTo = answerTo;
    flight.add(this);
  }

  resolve(answer: T): void {
    const flight = this.#flight;
    if (flight === undefined) {
      this.late(answer);
      return;
    }
    this.#flight = undefined;
    flight.succeeded();
    this.arrived(answer);
    this.#answerTo!.resolve(answer);
  }

  reject(error: unknown): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    if (isUnavailable(error)) {
      flight.failed(error);
      this.giveUp(error);
      return;
    }
    this.#flight = undefined;
    flight.succeeded();
    this.#answerTo!.reject(error);
  }

  /** Answers without the store, where it has not answered. */
  giveUp(error: Error): void {
    if (this.#flight === undefined) return;
    this.#flight = undefined;
    try {
      this.#answerTo!.resolve(this.instead(error));
    } catch (failure) {
      this.#answerTo!.reject(failure);
    }
  }
}

class ListenedCall<T> extends Call<T> {
  readonly #listener: Listener<T>;

  constructor(listener: Listener<T>) {
    super();
    this.#listener = listener;
  }

  protected override instead(error: Error): T {
    return this.#listener.instead(error);
  }

  protected override arrived(answer: T): void {
    this.#listener.arrived?.(answer);
  }

  protected override late(answer: T): void {
    this.#listener.late?.(answer);
  }
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
  readonly #calls: { giveUp(error: Error): void }[] = [];
  #open = 0;
  #cancel: (() => void) | undefined;
  #hasSucceeded = false;
  #hasFailed = false;

  constructor(options: FlightOptions) {
    this.#options = options;
    this.askedAt = options.askedAt;
    this.#generation = options.breaker.generation;
  }

  /**
   * Passes `answer` on where it comes in time. Where it does not, or says that the store is away, answers with what
   * `instead` returns, or rejects with what it throws.
   */
  wait<T>(answer: Promise<T>, listener: Listener<T>): Promise<T> {
    return this.ask(new ListenedCall(listener), (call) => {
      answer.then(
        (value) => call.resolve(value),
        (error) => call.reject(error),
      );
    });
  }

  /** The same for what `send` asks, which answers to the call itself. */
  ask<T>(call: Call<T>, send: (call: Call<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      call.begin(this, { resolve, reject });
      send(call);
    });
  }

  /** Counts a call that begins to wait. */
  add(call: { giveUp(error: Error): void }): void {
    this.#calls.push(call);
    this.#open += 1;
    if (this.#cancel !== undefined) return;
    const { timer, scheduler, deadlineMs } = this.#options;
    // Where this process was busy for that long, what has arrived meanwhile is read first.
    this.#cancel = timer.after(deadlineMs, () => scheduler.afterTurn(() => this.#expire()));
  }

  /** Counts a call that was answered. */
  succeeded(): void {
    this.#end();
    if (this.#hasSucceeded) return;
    this.#hasSucceeded = true;
    this.#options.breaker.succeeded(this.#generation);
  }

  /** Counts a call that was not. */
  failed(error: Error): void {
    this.#end();
    this.#fail(error);
  }

  #end(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#calls.length = 0;
  }

  #expire(): void {
    this.#cancel = undefined;
    if (this.#open === 0) return;
    const error = new DeadlineError(this.#options.deadlineMs);
    this.#fail(error);
    const calls = this.#calls.splice(0);
    this.#open = 0;
    for (const call of calls) call.giveUp(error);
  }

  #fail({ message }: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.breaker.failed(this.#generation, message);
  }
}
