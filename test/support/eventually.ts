import { setTimeout as sleep } from "node:timers/promises";

/** Tries `attempt` until it does not throw, every `everyMs`; after `withinMs` it throws what the last one threw. */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  withinMs = 15_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(everyMs);
  }
}
