// A store that says it is shared, for limiters of several coordinations: memory behind promises, in "slots" as a
// Cluster has them, with calls that fail when told to.

import { type Decision, memoryStore, type Store, TidegateError, type Work } from "tidegate";
import type { ManualClock } from "./manual-clock.ts";

/** The store, and what a test makes of it. */
export interface SharedStore extends Store {
  /** All work that it was given, in order. */
  readonly works: Work[];
  /**
   * How the next pieces of work end, in order: "ok"; "lost", which does nothing; "late", which does it and then fails,
   * as where the answer is lost. Where none is left, work ends well.
   */
  readonly endings: ("ok" | "lost" | "late")[];
}

const storeFailure = (): Error => {
  return new TidegateError("STORE_UNAVAILABLE", "Redis gave no answer: test");
};

/** Creates the store. Keys that begin with different letters lie in different slots where `slots` is set. */
export function createSharedStore(
  clock: ManualClock,
  { slots = false, fail = storeFailure } = {},
): SharedStore {
  const memory = memoryStore({ clock });
  const works: Work[] = [];
  const endings: ("ok" | "lost" | "late")[] = [];
  const told = (decision: Decision): Decision => ({ ...decision, source: "store" });
  return {
    works,
    endings,
    shared: true,
    async decide(...args) {
      return told(memory.decide(...args));
    },
    async run(work) {
      works.push(work);
      const ending = endings.shift() ?? "ok";
      if (ending === "lost") throw fail();
      const outcome = memory.run(work);
      if (ending === "late") throw fail();
      return { ...outcome, decision: told(outcome.decision) };
    },
    split(parts) {
      if (!slots) return [parts];
      return [...Map.groupBy(parts, ({ key }) => key[0]).values()];
    },
    async reset(...args) {
      memory.reset(...args);
    },
    async ping() {},
    attach: (telemetry) => memory.attach(telemetry),
    async detach(telemetry) {
      memory.detach(telemetry);
    },
  };
}
