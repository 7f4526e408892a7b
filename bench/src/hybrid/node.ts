// One node in a process of its own: its own limiter, its own connection to Redis, and the load on it, an open loop:
// requests are asked when they are due, whatever is still unanswered.

import { createLimiter, type Decision, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { Histogram } from "../process/histogram.ts";
import { createSchedule, type Schedule } from "../traffic/schedule.ts";
import {
  type Message,
  monotonicMs,
  type NodeOptions,
  type NodeReport,
  type Order,
  POLICIES,
  SOURCES,
} from "./orders.ts";

const { contender, redisPort, workload } = JSON.parse(process.argv[2]!) as NodeOptions;
const { capacity, refillPerSecond } = workload;
const names = Array.from({ length: workload.keys }, (_, place) => `user:${1_000_000 + place}`);
/** Turns of the microtask queue after which a decision from memory is answered, whichever contender it is of. */
const MICROTASKS = 4;

interface Decider {
  check(request: { readonly policy: string; readonly key: string }): Promise<Decision>;
  close(): Promise<unknown>;
}

const decider = contender === "recipe" ? createRecipe() : createShared(contender);
process.on("disconnect", () => process.exit());
process.on("message", (order: Order | "close") => {
  const answer: Promise<Message> =
    order === "close"
      ? decider.close().then(() => ({ kind: "closed" as const }))
      : run(order).then((report) => ({ kind: "report" as const, report }));
  answer.then(send, (error: unknown) => {
    send({ kind: "failed", message: error instanceof Error ? (error.stack ?? "") : String(error) });
  });
});
send({ kind: "ready" });

/** A machine that is busy for a while is not a Redis that is away: that is another page's subject. */
function policies(coordination: "local" | "central" | "hybrid") {
  const limits = [tokenBucket({ capacity, refill: `${refillPerSecond}/s` })];
  const shared = { deadline: "1s", onStoreFailure: "deny" } as const;
  const options = { coordination, limits, ...(coordination === "local" ? {} : shared) };
  return Object.fromEntries(POLICIES.map((name) => [name, options]));
}

function createShared(coordination: "central" | "hybrid"): Decider {
  const store = redisStore({ url: `redis://127.0.0.1:${redisPort}` });
  return createLimiter({ store, policies: policies(coordination) });
}

/** The usual recipe: a full bucket in each node, and the one in Redis only when that is empty. */
function createRecipe(): Decider {
  const own = createLimiter({ policies: policies("local") });
  const shared = createShared("central");
  return {
    async check(request) {
      const decision = await own.check(request);
      return decision.allowed ? decision : shared.check(request);
    },
    close: () => Promise.all([own.close(), shared.close()]),
  };
}

async function run(order: Order): Promise<NodeReport> {
  const schedule = createSchedule({ ...workload, ...order });
  const count = schedule.keys.length;
  const latency = new Histogram();
  const lateness = new Histogram();
  const askedUs = new Uint32Array(count);
  const outcomes = new Uint8Array(count);
  const countedFromUs = 1_000 * order.latencyFromMs;
  let rejection: string | undefined;
  const startMs = performance.now() + (order.startMs - monotonicMs());
  const ask = async (index: number) => {
    const askedMs = performance.now();
    const sinceUs = Math.max((askedMs - startMs) * 1_000, 0);
    askedUs[index] = sinceUs;
    lateness.add((sinceUs - schedule.dueUs[index]!) / 1_000);
    try {
      const { allowed, source } = await decider.check({
        policy: order.policy,
        key: names[schedule.keys[index]!]!,
      });
      if (sinceUs >= countedFromUs) latency.add(performance.now() - askedMs);
      outcomes[index] = 2 * SOURCES.indexOf(source) + (allowed ? 1 : 0);
    } catch (error) {
      rejection ??= String(error);
    }
  };
  const before = process.cpuUsage();
  await askWhenDue(schedule, startMs, ask);
  const { user, system } = process.cpuUsage(before);
  const { keys } = schedule;
  return {
    ...{ askedUs, keys, outcomes, rejection, cpuUs: user + system },
    ...{ latency: latency.counts, lateness: lateness.counts },
  };
}

/** Resolves when everything is answered. */
function askWhenDue(
  { dueUs }: Schedule,
  startMs: number,
  ask: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let unanswered = dueUs.length;
  return new Promise<void>((resolve) => {
    const answered = () => {
      unanswered -= 1;
      if (unanswered === 0) resolve();
    };
    // A timer, of a millisecond: to spin instead would take the processors from the other nodes and from Redis.
    const turn = async () => {
      while (next < dueUs.length && dueUs[next]! <= (performance.now() - startMs) * 1_000) {
        void ask(next).then(answered);
        next += 1;
        // Else what is decided from memory would wait for what else is due.
        for (let hop = 0; hop < MICROTASKS; hop += 1) await undefined;
      }
      if (next < dueUs.length) setTimeout(turn, 1);
    };
    void turn();
  });
}

function send(message: Message): void {
  process.send!(message);
}
