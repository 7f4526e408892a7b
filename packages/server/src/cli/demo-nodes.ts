// The nodes of the demo: limiters that share their counts, in one memory or in one Redis.

import {
  createLimiter,
  type Limiter,
  memoryStore,
  type PolicyOptions,
  type Store,
  type Telemetry,
  TidegateError,
} from "tidegate";
import { redactRedisUrl } from "tidegate/redis";
import { redactText } from "../config/redact.ts";
import { checkStore } from "../config/values.ts";
import type { Timers } from "../runtime/timers.ts";
import { sayDuration } from "./words.ts";

const CONNECT_DEADLINE_MS = 3_000;

/** Where the nodes count, and how many they are. */
export interface NodesOptions {
  /** Left out: in memory. */
  readonly redis?: string;
  /** The address that a reader knows it by, where that is another. */
  readonly shownAs?: string;
  /** What happens where no address is given. */
  readonly without?: string;
  readonly nodes: number;
}

/**
 * Opens a limiter for each node: all on one memory, or each on its own connection to a Redis.
 * @param telemetryOf is told what happens at each node.
 * @throws TidegateError INVALID_OPTION for a wrong address, STORE_UNAVAILABLE where Redis does not answer in time.
 */
export async function openNodes(
  options: NodesOptions,
  policies: Readonly<Record<string, PolicyOptions>>,
  timers: Timers,
  telemetryOf: (node: number) => Telemetry = () => ({}),
): Promise<Limiter[]> {
  const { redis, nodes, shownAs = redis ?? "" } = options;
  const { without = "Without --redis the demo counts in memory." } = options;
  const createStore = redis === undefined ? shareMemory() : await connectTo(redis);
  const limiters = Array.from({ length: nodes }, (_, node) => {
    const telemetry = telemetryOf(node);
    const store = createStore();
    const shared = store.shared ? { expectedNodes: nodes } : {};
    return createLimiter({ store, policies, telemetry, ...shared });
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
    : `Is it running there? ${without}`;
  throw new TidegateError(
    "STORE_UNAVAILABLE",
    `--redis ${redactRedisUrl(shownAs)} cannot be used: ${failure}.\n${remedy}`,
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
