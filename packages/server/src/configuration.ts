// What a service is started with, read and checked: the one type that the configuration file, the environment and
// the command line are turned into.

import type { CoordinationName, PolicyOptions } from "tidegate";

/** How much is logged; "silent" is nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** A service's configuration, complete: every default is filled in. */
export interface Configuration {
  /** Address that all ports listen on; "127.0.0.1" by default. */
  readonly host: string;
  /** Ports; 0 takes any free one. */
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** "memory", or the address of a Redis: redis://, rediss://, redis+cluster://, redis+sentinel://. */
  readonly store: string;
  /** Left out: "local" with memory, "central" with Redis. */
  readonly coordination?: CoordinationName;
  /** Their limits made by the library's factories, such as tokenBucket(). */
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  /** The policy of requests that name none; left out, they are refused. */
  readonly defaultPolicy?: string;
  /**
   * How many nodes share the store, until the store has said: a policy whose `onStoreFailure` is "local" divides its
   * limits by it. Left out: 1.
   */
  readonly expectedNodes?: number;
  readonly logLevel: LogLevel;
  /** Milliseconds that a drain waits for calls in flight; 10,000 by default. */
  readonly drainTimeoutMs: number;
}
