// The load on services that gossip, in a process of its own: requests are asked when they are due, those of a few
// milliseconds in one call of CheckLimits. A service that is gone is not asked until the parent says that it is back.

import { setTimeout as sleep } from "node:timers/promises";
import { encodeHeaders, Http2Connection } from "../grpc/http2-connection.ts";
import { encodeBatch, framed, readAdmitted } from "../grpc/messages.ts";
import { createSchedule } from "../traffic/schedule.ts";
import type { LoadOrder, LoadReport } from "./load-orders.ts";
import { BATCH_MS, PER_SECOND, USER_NAMES, USERS } from "./scenario.ts";

const HEADERS = encodeHeaders("/tidegate.v1.RateLimiter/CheckLimits");
/** Requests in one call, when the machine was busy with something else: the service takes no more than 1,000. */
const MOST_IN_A_CALL = 500;
/** Of an outcome: not answered. */
const NONE = 2;

/** One service, and what it is asked. */
class Target {
  readonly askedUs: Uint32Array;
  readonly outcomes: Uint8Array;
  readonly keys: Uint16Array;
  readonly #dueUs: Uint32Array;
  readonly #host: string;
  readonly #port: number;
  #connection: Http2Connection | undefined;
  #next = 0;
  #latest = 0;
  readonly #open = new Set<Promise<void>>();

  constructor(order: LoadOrder, place: number) {
    const { targets, seed, durationMs } = order;
    const { host, port } = targets[place]!;
    const { dueUs, keys } = createSchedule({
      ...{
        seed: seed * targets.length + place,
        perSecond: PER_SECOND / targets.length,
        durationMs,
      },
      ...{ keys: USERS.keys, zipf: 0 },
    });
    this.#host = host;
    this.#port = port;
    this.#dueUs = dueUs;
    this.keys = keys;
    this.askedUs = new Uint32Array(dueUs.length);
    this.outcomes = new Uint8Array(dueUs.length).fill(NONE);
  }

  /** How late a request was asked, at worst, in milliseconds. */
  get latestMs(): number {
    return this.#latest / 1_000;
  }

  async connect(): Promise<void> {
    this.#connection = await Http2Connection.open(this.#port, this.#host);
  }

  /** Asks what has fallen due. */
  ask(nowUs: number): void {
    while (this.#dueUs[this.#next]! <= nowUs) {
      const from = this.#next;
      while (this.#dueUs[this.#next]! <= nowUs && this.#next - from < MOST_IN_A_CALL)
        this.#next += 1;
      if (this.#connection === undefined) continue;
      this.#latest = Math.max(this.#latest, nowUs - this.#dueUs[from]!);
      this.#call(this.#connection, from, nowUs);
    }
  }

  #call(connection: Http2Connection, from: number, nowUs: number): void {
    this.askedUs.fill(nowUs, from, this.#next);
    const keys = Array.from(this.keys.subarray(from, this.#next), (key) => USER_NAMES[key]!);
    const answered = connection.ask(HEADERS, framed(encodeBatch("users", keys))).then(
      (message) => void readAdmitted(message, this.outcomes, from),
      () => {
        // It is gone, and with it what was not answered.
        if (this.#connection === connection) this.#connection = undefined;
      },
    );
    this.#open.add(answered);
    void answered.then(() => this.#open.delete(answered));
  }

  async settled(): Promise<void> {
    await Promise.race([Promise.all(this.#open), sleep(1_000)]);
    this.#connection?.close();
  }
}

let targets: readonly Target[] = [];
process.on("disconnect", () => process.exit());
process.on("message", (message: LoadOrder | { readonly back: number }) => {
  if ("back" in message) void targets[message.back]!.connect();
  else void run(message);
});
process.send!("ready");

async function run(order: LoadOrder): Promise<void> {
  targets = order.targets.map((_, place) => new Target(order, place));
  await Promise.all(targets.map((target) => target.connect()));
  process.send!("started");
  const startedMs = performance.now();
  for (;;) {
    const nowMs = performance.now() - startedMs;
    if (nowMs >= order.durationMs) break;
    for (const target of targets) target.ask(Math.round(1_000 * nowMs));
    await sleep(BATCH_MS);
  }
  await Promise.all(targets.map((target) => target.settled()));
  const report: LoadReport = {
    answers: targets.map(({ askedUs, keys, outcomes }) => {
      const isAnswered = (_: number, index: number) => outcomes[index] !== NONE;
      return {
        askedUs: askedUs.filter(isAnswered),
        keys: keys.filter(isAnswered),
        admitted: outcomes.filter(isAnswered),
      };
    }),
    latestMs: Math.max(...targets.map(({ latestMs }) => latestMs)),
  };
  process.send!(report);
}
