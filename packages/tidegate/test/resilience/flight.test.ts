// What goes out with one turn: one timer and one vote for all of it, and nothing left over however it ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TidegateError } from "tidegate";
import type { CircuitBreaker } from "../../src/resilience/circuit-breaker.ts";
import { DeadlineError, Flight } from "../../src/resilience/flight.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualScheduler } from "../support/manual-scheduler.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";

/** A flight, and the votes that its circuit is told. */
function createTestFlight() {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const scheduler = createManualScheduler();
  const votes: string[] = [];
  const breaker = {
    generation: 7,
    succeeded: (generation: number) => void votes.push(`succeeded ${generation}`),
    failed: (generation: number, reason: string) => void votes.push(`${reason}, ${generation}`),
  } as unknown as CircuitBreaker;
  const flight = new Flight({ breaker, deadlineMs: 50, timer, scheduler, askedAt: clock.now() });
  /** Lets the deadline pass, and the turn after it. */
  const expire = async () => {
    await timer.advanceMs(50);
    scheduler.endTurn();
    await settled();
  };
  return { flight, timer, scheduler, votes, expire };
}

const unavailable = () => new TidegateError("STORE_UNAVAILABLE", "Redis gave no answer: refused");
const LATE = "no answer within the deadline of 50 ms, 7";

/** An answer that the test gives, and what became of it. */
function ask(flight: Flight, instead: (error: Error) => string = () => "instead") {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const told: string[] = [];
  const answer = flight.wait(promise, {
    instead,
    arrived: (value) => told.push(`arrived ${value}`),
    late: (value) => told.push(`late ${value}`),
  });
  return { answer, resolve, reject, told };
}

test("passes answers on; one timer for all calls of a turn, and one vote", async () => {
  const { flight, timer, votes } = createTestFlight();
  const calls = Array.from({ length: 100 }, () => ask(flight));
  assert.equal(timer.size, 1);
  for (const [index, { resolve }] of calls.entries()) resolve(`${index}`);
  const answers = await Promise.all(calls.map(({ answer }) => answer));
  assert.deepEqual(answers.slice(0, 3), ["0", "1", "2"]);
  assert.deepEqual(calls[1]!.told, ["arrived 1"]);
  assert.deepEqual([timer.size, votes], [0, ["succeeded 7"]]);
});

test("at the deadline it answers instead, all of them, and votes once", async () => {
  const { flight, timer, votes, expire } = createTestFlight();
  const errors: Error[] = [];
  const instead = (error: Error) => {
    errors.push(error);
    return "instead";
  };
  const calls = Array.from({ length: 100 }, () => ask(flight, instead));
  await timer.advanceMs(49);
  assert.equal(errors.length, 0);
  await expire();
  assert.deepEqual(
    new Set(await Promise.all(calls.map(({ answer }) => answer))),
    new Set(["instead"]),
  );
  assert.equal(errors.length, 100);
  assert.ok(errors.every((error) => error instanceof DeadlineError));
  assert.deepEqual([timer.size, votes], [0, [LATE]]);
});

test("an answer that comes after its time is told as late, and to nobody else", async () => {
  const { flight, votes, expire } = createTestFlight();
  const call = ask(flight);
  await expire();
  call.resolve("ok");
  assert.equal(await call.answer, "instead");
  await settled();
  assert.deepEqual([call.told, votes], [["late ok"], [LATE]]);
});

test("an error that comes after its time is nobody's", async () => {
  const { flight, votes, expire } = createTestFlight();
  const call = ask(flight);
  await expire();
  call.reject(unavailable());
  await settled();
  assert.deepEqual([await call.answer, call.told, votes], ["instead", [], [LATE]]);
});

test("an answer that had arrived when the deadline passed wins, as where this process was busy", async () => {
  const { flight, timer, scheduler, votes } = createTestFlight();
  const [first, second] = [ask(flight), ask(flight)];
  // The timer fires before what the socket has is read.
  await timer.advanceMs(5_000);
  first.resolve("ok");
  await settled();
  scheduler.endTurn();
  await settled();
  assert.deepEqual([await first.answer, first.told], ["ok", ["arrived ok"]]);
  assert.equal(await second.answer, "instead");
  assert.deepEqual([timer.size, scheduler.size], [0, 0]);
  assert.deepEqual(votes, ["succeeded 7", LATE]);
});

test("a store that says that it is away is answered for at once", async () => {
  const { flight, timer, votes } = createTestFlight();
  const calls = [ask(flight), ask(flight)];
  for (const { reject } of calls) reject(unavailable());
  assert.deepEqual(await Promise.all(calls.map(({ answer }) => answer)), ["instead", "instead"]);
  assert.deepEqual([timer.size, votes], [0, ["Redis gave no answer: refused, 7"]]);
});

test("other errors are the caller's, and say that the store is there", async () => {
  const { flight, timer, votes } = createTestFlight();
  const misuse = new TidegateError("INVALID_REQUEST", "id must be new");
  const call = ask(flight);
  call.reject(misuse);
  await assert.rejects(call.answer, misuse);
  assert.deepEqual([timer.size, votes, call.told], [0, ["succeeded 7"], []]);
});

test("what `instead` throws rejects the call, and no other", async () => {
  const { flight, timer, expire } = createTestFlight();
  const failure = new Error("no answer instead");
  const [first, second] = [
    ask(flight, () => {
      throw failure;
    }),
    ask(flight),
  ];
  const rejected = assert.rejects(first.answer, failure);
  await expire();
  await rejected;
  assert.equal(await second.answer, "instead");
  const third = ask(flight, () => {
    throw failure;
  });
  third.reject(unavailable());
  await assert.rejects(third.answer, failure);
  assert.equal(timer.size, 0);
});

test("a call that nobody ever answers leaves nothing in the timer, and those beside it are answered", async () => {
  const { flight, timer, scheduler, expire } = createTestFlight();
  const [hung, answered] = [ask(flight), ask(flight)];
  answered.resolve("ok");
  assert.equal(await answered.answer, "ok");
  assert.equal(timer.size, 1, "the other still waits");
  await expire();
  assert.equal(await hung.answer, "instead");
  assert.deepEqual([timer.size, scheduler.size], [0, 0]);
});

test("a call after all others were answered has a deadline of its own", async () => {
  const { flight, timer, expire } = createTestFlight();
  const first = ask(flight);
  first.resolve("ok");
  await first.answer;
  assert.equal(timer.size, 0);
  const second = ask(flight);
  assert.equal(timer.size, 1);
  await expire();
  assert.equal(await second.answer, "instead");
  assert.equal(timer.size, 0);
});
