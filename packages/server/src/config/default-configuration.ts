// What is served where nothing is configured: safe defaults, and policies to try out.

import { concurrency, fixedWindow, type PolicyOptions, tokenBucket } from "tidegate";
import type { Configuration } from "../configuration.ts";

/**
 * The policies of a service without a file. `api`: bursts of 100, 10 a second in the long run, and at most 1,000 in any
 * clock minute. `login`: 5 at once and one more every 12 seconds, so that a sixth try in a row is denied. `jobs`: 3
 * permits, each held for 30 seconds at most.
 * tidegate.example.yaml writes the same; a test holds the two equal.
 */
export const EXAMPLE_POLICIES: Readonly<Record<string, PolicyOptions>> = {
  api: {
    limits: [
      tokenBucket({ capacity: 100, refill: "10/s", name: "burst" }),
      fixedWindow({ limit: 1_000, window: "1m", name: "minute" }),
    ],
  },
  login: { limits: [tokenBucket({ capacity: 5, refill: "5/1m" })] },
  jobs: { limits: [concurrency({ limit: 3, lease: "30s" })] },
};

/** Every setting but the policies, as it is where nothing sets it. */
export const DEFAULT_SETTINGS = {
  host: "127.0.0.1",
  httpPort: 8080,
  grpcPort: 8081,
  adminPort: 8082,
  store: "memory",
  logLevel: "info",
  drainTimeoutMs: 10_000,
} as const satisfies Omit<Configuration, "policies">;
