// The nodes of the demo: limiters of one policy that share a count, in one memory or in one Redis.

import {
  createLimiter,
  type Limit,
  type Limiter,
  memoryStore,
  type Store,
  TidegateError,
} from "tidegate";
import { redactRedisUrl } from "tidegate/redis";
import { redactText } from "../config/redact.ts";
import { checkStore } from "../config/values.ts";
import type { Timers } from "../runtime/timers.ts";
import { sayDuration } from "./words.ts";

/** The policy that the nodes share. */
export const POLICY = "demo";

const CONNECT_DEADLINE_MS = 3_000;

/**
 * Opens a limiter for each node: all on one memory, or each on its own connection to a Redis.
 * @throws TidegateError INVALID_OPTION for a wrong address, STORE_UNAVAILABLE where Redis does not answer in time.
 */
export async function openNodes(
  options: { readonly redis?: string; readonly nodes: number },
  limit: Limit,
  timers: Timers,
): Promise<Limiter[]> {
  const { redis, nodes } = options;
  const createStore = redis === undefined ? shareMemory() : await connectTo(redis);
  const limiters = Array.from({ length: nodes }, () => {
    return createLimiter({ store: createStore(), policies: { [POLICY]: { limits: [limit] } } });
  });
  const pings = Promise.all(limiters.map((limiter) => limiter.ping()));
  const failure = await within(CONNECT_DEADLINE_MS, timers, pings).then(
    (done) => (done ? undefined : `no answer within ${sayDuration(CONNECT_DEADLINE_MS)}`),
    (error: Error) => sayFailure(error.message),
  );
  if (failure === undefined) return limiters;
  closeNodes(limiters, timers);
  const remedy = /password/.test(failure)
    ? "Give it as redis://user:password@host:6379, or without the user where Redis has none."
    : "Is it running there? Without --redis the demo counts in memory.";
  throw new TidegateError(
    "STORE_UNAVAILABLE",
    `--redis ${redactRedisUrl(redis ?? "")} cannot be used: ${failure}.\n${remedy}`,
  );
}

/** Closes the nodes, and waits for no store that hangs. */
export async function closeNodes(limiters: readonly Limiter[], timers: Timers): Promise<void> {
  const closing = Promise.allSettled(limiters.map((limiter) => limiter.close()));
  await within(CONNECT_DEADLINE_MS, timers, closing);
}

function sayFailure(message: string): string {
  if (message.includes("NOAUTH")) return "it asks for a password";
  return redactText(message).replace(/\.+$/, "");
}

function shareMemory(): () => Store {
  const memory = memoryStore();
  return () => memory;
}

async function connectTo(url: string): Promise<() => Store> {
  const checked = checkStore(url);
  const wrong =
    "wrong" in checked
      ? checked.wrong.replace("must be memory, ", "must be ")
      : url === "memory" && "must be the address of a Redis; leave it out to count in memory";
  if (wrong !== false) throw new TidegateError("INVALID_OPTION", `--redis ${wrong}`);
  const { redisStore } = await import("tidegate/redis");
  return () => redisStore({ url });
}

/** Resolves to true when `work` is done, or to false after `ms`. */
function within(ms: number, timers: Timers, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(ms, () => resolve(false));
    work.then(() => resolve(true), reject).finally(cancel);
  });
}
