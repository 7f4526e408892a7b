// One of the processes that race: a limiter with a connection of its own to the Redis whose URL it is started with. It
// does what its parent tells it over IPC and may be killed at any moment; it ends when its parent does.

import { flushCompileCache } from "node:module";
import { createLimiter, TidegateError } from "tidegate";
import { redisStore } from "tidegate/redis";
import { eventually } from "../support/eventually.ts";
import { patient } from "../support/patient.ts";
import type { Answer, Ask, WorkerCalls } from "../support/worker-calls.ts";
import { policies } from "./policies.ts";

const limiter = createLimiter({
  store: redisStore({ url: process.argv[2]! }),
  policies: patient(policies),
});
/** What ends the work that goes on, by its name. */
const endings = new Map<string, () => void>();

const calls: WorkerCalls = {
  ...limiter,
  beginWork(request, name) {
    return limiter.withPermit(request, async (_permit, signal) => {
      const ended = new Promise<"done" | "lost">((resolve) => {
        endings.set(name, () => resolve("done"));
        signal.addEventListener("abort", () => resolve("lost"), { once: true });
      });
      return ended.finally(() => endings.delete(name));
    });
  },
  isWorking: async (name) => endings.has(name),
  endWork: async (name) => endings.get(name)?.(),
};

let answers: Answer[] = [];

async function answer({ id, method, args }: Ask): Promise<void> {
  const call = calls[method] as (...args: readonly unknown[]) => Promise<unknown>;
  const one = await call(...args).then(
    (value): Answer => ({ id, value }),
    (error: unknown): Answer => ({ id, error: describe(error) }),
  );
  if (answers.push(one) > 1) return;
  setImmediate(() => {
    process.send!(answers);
    answers = [];
  });
}

function describe(error: unknown): NonNullable<Answer["error"]> {
  const code = error instanceof TidegateError ? error.code : "";
  return { code, message: String(error) };
}

process.on("message", (asks: Ask[]) => {
  // All in one turn, so that they go out together, as those of a busy process do.
  for (const ask of asks) void answer(ask);
});
process.on("disconnect", () => process.exit());
// A connection, before the first race: what is asked at once is to be in flight at once. Eight that begin together keep
// a busy machine so busy that one may be late.
await eventually(() => limiter.ping());
process.send!([]);
// Now, for a process that is killed keeps nothing.
flushCompileCache();
