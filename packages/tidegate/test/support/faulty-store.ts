// A store that says it is shared and fails as a test tells it to: it says that it is away, or hangs, and then does
// late or never what it was asked. Memory behind promises, of one node or of one for each first letter of a key.

import { type Decision, memoryStore, type Policy, type Store, TidegateError } from "tidegate";
import type { ManualClock } from "./manual-clock.ts";

/** How calls end: "up" are answered, "down" rejected and not done, "hung" wait for `thaw` or `lose`. */
export type Mode = "up" | "down" | "hung";

/** The store, and what a test makes of it. */
export interface FaultyStore extends Store {
  /** Sets how calls end from now on: of one node, or left out, of all. */
  set(mode: Mode, node?: string): void;
  /** What was asked of it, in order: "decide", "take", "settle", "ping", ..., and behind a colon the node. */
  readonly calls: string[];
  /** Number of calls that are not answered. */
  readonly hanging: number;
  /** Does what hung, in order, and answers it. */
  thaw(): void;
  /** Rejects what hung. */
  lose(): void;
  /** Who announced themselves, and for how long. */
  readonly announced: [limiter: string, ttlMs: number][];
  /** How many nodes there are said to be. */
  nodes: number;
}

/** The calls of a store, each of which ends as its node does at the time. */
function createCalls(cluster: boolean) {
  const modes = new Map<string, Mode>();
  const calls: string[] = [];
  let standard: Mode = "up";
  let hung: { readonly go: () => void; readonly lose: () => void }[] = [];

  function call<T>(what: string, node: string, work: () => T): Promise<T> {
    calls.push(cluster ? `${what}:${node}` : what);
    const mode = modes.get(node) ?? standard;
    return new Promise((resolve, reject) => {
      const lose = () => {
        reject(new TidegateError("STORE_UNAVAILABLE", "Redis gave no answer: test"));
      };
      const go = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      if (mode === "up") go();
      else if (mode === "down") lose();
      else hung.push({ go, lose });
    });
  }

  return {
    call,
    calls,
    hanging: () => hung.length,
    end(how: "go" | "lose") {
      const ended = hung;
      hung = [];
      for (const one of ended) one[how]();
    },
    set(mode: Mode, node?: string) {
      if (node !== undefined) modes.set(node, mode);
      else standard = mode;
    },
  };
}

/** Creates the store. */
export function createFaultyStore(clock: ManualClock, { cluster = false } = {}): FaultyStore {
  const memory = memoryStore({ clock });
  const { call, calls, hanging, end, set } = createCalls(cluster);
  const nodeOf = (_policy: Policy, key: string) => key[0]!;
  const told = (decision: Decision): Decision => ({ ...decision, source: "store" });
  return {
    shared: true,
    calls,
    set,
    announced: [],
    nodes: 1,
    get hanging() {
      return hanging();
    },
    thaw: () => end("go"),
    lose: () => end("lose"),
    ...(cluster ? { nodeOf } : {}),
    decide(policy, key, cost, consume) {
      const what = consume ? "decide" : "peek";
      return call(what, key[0]!, () => told(memory.decide(policy, key, cost, consume)));
    },
    run(work) {
      const { key } = work.kind === "take" ? work.parts[0]! : work.part;
      return call(work.kind, key[0]!, () => {
        const outcome = memory.run(work);
        return { ...outcome, decision: told(outcome.decision) };
      });
    },
    split: (parts) => (cluster ? [...Map.groupBy(parts, ({ key }) => key[0]).values()] : [parts]),
    reset: (policy, key) => call("reset", key[0]!, () => memory.reset(policy, key)),
    ping: (node = "") => call("ping", node, () => {}),
    announce(limiter, ttlMs) {
      return call("announce", "", () => {
        this.announced.push([limiter, ttlMs]);
        return this.nodes;
      });
    },
    attach: (telemetry) => memory.attach(telemetry),
    async detach(telemetry) {
      memory.detach(telemetry);
    },
  };
}
