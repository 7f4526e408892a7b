// A connection that Tidegate opens with ioredis, for a URL. Every call is answered or rejected within a deadline, is
// never repeated where it may have been carried out, and is never sent after its deadline.

import type { Random } from "../../ports/random.ts";
import type { Timer } from "../../ports/timer.ts";
import type { RedisCommands } from "./client.ts";
import { isReadOnly } from "./faults.ts";
import { CALL_TIMEOUT_MS, type IoredisPackage, loadIoredis, openIoredis } from "./open-ioredis.ts";
import { createOwnCallClass, type IoredisCommandClass, type OwnCall } from "./own-call.ts";
import { type OwnLink, watchSetUp } from "./own-set-up.ts";
import { parseRedisUrl, type RedisAddress } from "./redis-url.ts";

/**
 * Opens a connection with ioredis, which the application installs. It reconnects by itself, with jitter.
 * @throws TidegateError INVALID_OPTION where the URL is wrong or ioredis is not installed.
 */
export function openUrl(url: string, random: Random, timer: Timer): RedisCommands {
  const address = parseRedisUrl(url);
  const ioredis = loadIoredis<OwnPackage>();
  const client = openIoredis(ioredis, address, random, {
    disconnectTimeout: CALL_TIMEOUT_MS,
    // After a failover the name, or the Sentinels, lead elsewhere. `true`, not 2, which would send the call again.
    reconnectOnError: isReadOnly,
  });
  return new OwnConnection(client, ioredis.Command, address, timer);
}

class OwnConnection implements RedisCommands {
  readonly cluster: boolean;
  readonly #client: OwnClient;
  readonly #Call: ReturnType<typeof createOwnCallClass>;
  readonly #timer: Timer;
  /** Calls that wait for the connection. ioredis' own queues outlive deadlines, and a Cluster's has no bound. */
  readonly #waiting = new Set<OwnCall>();
  /** Why there is no connection: what ioredis tells those who wait is only how often it tried. */
  #lastError: unknown;
  #closed = false;

  constructor(
    client: OwnClient,
    Command: IoredisCommandClass,
    address: RedisAddress,
    timer: Timer,
  ) {
    this.cluster = address.kind === "cluster";
    this.#client = client;
    this.#Call = createOwnCallClass(Command);
    this.#timer = timer;
    // Without a listener the client would print each error.
    client.on("error", (error) => {
      this.#lastError = error;
    });
    if (this.cluster) client.on("+node", (link) => watchSetUp(link, timer));
    else watchSetUp(client, timer);
    client.on("ready", () => this.#sendWaiting());
    client.on("close", () => this.#rejectWaiting());
  }

  nodeOf(slot: number): string {
    return this.#client.slots?.[slot]?.[0] ?? "";
  }

  async send(_key: string, args: string[], waitMs: number): Promise<unknown> {
    if (this.#closed) throw new Error("the connection is closed");
    const call = new this.#Call(args[0]!, args.slice(1), { replyEncoding: "utf8" });
    let cancel = this.#timer.after(Math.min(waitMs, CALL_TIMEOUT_MS), () => {
      // What was sent is waited for longer than anybody does: a slow answer must not cost the connection.
      // And where this process was busy for that long, what has arrived meanwhile is read first.
      if (this.#waiting.has(call)) this.#abandon(call, waitMs);
      else {
        cancel = this.#timer.after(Math.max(CALL_TIMEOUT_MS - waitMs, 0), () => {
          this.#abandon(call, CALL_TIMEOUT_MS);
        });
      }
    });
    if (this.#client.status === "ready") this.#client.sendCommand(call);
    else this.#waiting.add(call);
    call.atOnce = false;
    try {
      return await call.promise;
    } catch (error) {
      throw withoutConnection(error) ? connectionError(this.#lastError ?? error) : error;
    } finally {
      cancel();
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
    this.#rejectWaiting();
  }

  #abandon(call: OwnCall, waitedMs: number): void {
    const waited = this.#waiting.delete(call);
    call.abandon(
      waited && this.#lastError !== undefined
        ? connectionError(this.#lastError)
        : new Error(`no ${waited ? "connection" : "answer"} within ${waitedMs} ms`),
    );
  }

  #sendWaiting(): void {
    this.#lastError = undefined;
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const call of calls) this.#client.sendCommand(call);
  }

  #rejectWaiting(): void {
    const calls = [...this.#waiting];
    this.#waiting.clear();
    const error = connectionError(this.#lastError ?? new Error("the connection is closed"));
    for (const call of calls) call.reject(error);
  }
}

/** Whether ioredis gave a command up because it had no connection. */
function withoutConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "MaxRetriesPerRequestError" ||
      error.name === "ClusterAllFailedError" ||
      error.message.startsWith("Connection is closed"))
  );
}

function connectionError(cause: unknown): Error {
  const { lastNodeError } = cause as { lastNodeError?: unknown };
  const error = lastNodeError ?? cause;
  // A host with several addresses fails with an AggregateError, which has a code but no message.
  const { message, code } = error as { message?: string; code?: string };
  return new Error(`no connection (${message || code || String(error)})`, { cause });
}

interface OwnClient extends OwnLink {
  readonly status: string;
  readonly slots?: readonly (readonly string[] | undefined)[];
  on(event: "error" | "connect" | "ready" | "close", listener: (error: Error) => void): unknown;
  on(event: "+node", listener: (link: OwnLink) => void): unknown;
  sendCommand(command: OwnCall): unknown;
  disconnect(): void;
}

interface OwnPackage extends IoredisPackage<OwnClient> {
  readonly Command: IoredisCommandClass;
}
