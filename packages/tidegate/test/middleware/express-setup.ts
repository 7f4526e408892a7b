// What the tests of the Express middleware share: a limiter on a manual clock, and servers that are closed at the end.

import { after } from "node:test";
import type express from "express";
import {
  concurrency,
  createLimiter,
  fixedWindow,
  type Limiter,
  memoryStore,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { listen } from "./express-adapter.ts";

/** Creates a limiter on a clock that stands still. */
export function createTestLimiter(): Limiter {
  return createLimiter({
    store: memoryStore({ clock: createManualClock() }),
    policies: {
      api: { limits: [tokenBucket({ capacity: 3, refill: "1/10s" })] },
      login: { limits: [fixedWindow({ limit: 2, window: "1m" })] },
      exports: { limits: [concurrency({ limit: 2, lease: "30s" })] },
    },
  });
}

const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** Serves an application until the file's tests are over, and returns its address. */
export async function serve(application: express.Express): Promise<string> {
  const { url, close } = await listen(application);
  cleanups.push(close);
  return url;
}
