// A store that a test can wait for: it tells when it was asked for something, and can be made to answer late.

import type { Store } from "tidegate";
import { watchChanges } from "./until.ts";

/** What is asked of a store: "decide", or the kind of a piece of work. */
export type Asked = "decide" | "take" | "give" | "settle" | "release" | "extend" | "lease";

/** A store that is watched. */
export interface WatchedStore extends Store {
  /** How often it was asked. */
  count(asked: Asked): number;
  /** Resolves when it was asked so often. */
  untilAsked(asked: Asked, count: number): Promise<void>;
  /** Has what is asked for wait until the function that it returns is called. */
  hold(asked: Asked): () => void;
}

/** Watches a store. */
export function watchStore(store: Store): WatchedStore {
  const counts = new Map<Asked, number>();
  const gates = new Map<Asked, Promise<void>>();
  const changes = watchChanges();

  function pass<Answer>(asked: Asked, answer: () => Answer | Promise<Answer>) {
    counts.set(asked, (counts.get(asked) ?? 0) + 1);
    changes.tell();
    const gate = gates.get(asked);
    return gate === undefined ? answer() : gate.then(answer);
  }

  const count = (asked: Asked) => counts.get(asked) ?? 0;
  return {
    shared: store.shared,
    decide: (...args) => pass("decide", () => store.decide(...args)),
    run: (work) => pass(work.kind, () => store.run(work)),
    split: (parts) => store.split(parts),
    reset: (policy, key) => store.reset(policy, key),
    ping: () => store.ping(),
    attach: (telemetry) => store.attach(telemetry),
    detach: (telemetry) => store.detach(telemetry),
    count,
    untilAsked: (asked, times) => changes.until(() => count(asked) >= times),
    hold(asked) {
      const { promise, resolve } = Promise.withResolvers<void>();
      gates.set(asked, promise);
      return () => {
        gates.delete(asked);
        resolve();
      };
    },
  };
}
