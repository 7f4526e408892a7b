// The traffic of `tidegate demo --chaos`: every node checks every policy, so many times a second, and what was answered
// is counted.

import type { CircuitState, Decision, Limiter, PolicyOptions, Source, Telemetry } from "tidegate";
import { tokenBucket } from "tidegate";
import type { Timers } from "../runtime/timers.ts";

/** The policies, by how they answer where Redis does not. */
export const MODES = ["allow", "deny", "local"] as const;

/** Checks of each policy by each node, a second; half of them is what its limit admits in the long run. */
export const CHECKS_PER_SECOND = 20;
const TICK_MS = 1_000 / CHECKS_PER_SECOND;

/** The policies that so many nodes share: the same limit, three ways to do without Redis. */
export function policiesFor(nodes: number): Record<(typeof MODES)[number], PolicyOptions> {
  const units = (CHECKS_PER_SECOND / 2) * nodes;
  const limits = [tokenBucket({ capacity: units, refill: `${units}/s` })];
  return {
    allow: { limits, onStoreFailure: "allow" },
    deny: { limits, onStoreFailure: "deny" },
    local: { limits, onStoreFailure: "local" },
  };
}

/** Answers of one policy. */
export interface Count {
  admitted: number;
  denied: number;
  readonly sources: Map<Source, number>;
}

/** Answers of a time. */
export interface Tally {
  readonly counts: ReadonlyMap<string, Count>;
  /** How long the slowest took, in milliseconds. */
  slowestMs: number;
}

/** Creates one without any. */
export function createTally(): Tally {
  const count = (): Count => ({ admitted: 0, denied: 0, sources: new Map() });
  return { counts: new Map(MODES.map((mode) => [mode, count()])), slowestMs: 0 };
}

/** Adds what was counted in `from`. */
export function addTally(to: Tally, from: Tally): void {
  to.slowestMs = Math.max(to.slowestMs, from.slowestMs);
  for (const [mode, { admitted, denied, sources }] of from.counts) {
    const count = to.counts.get(mode)!;
    count.admitted += admitted;
    count.denied += denied;
    for (const [source, times] of sources) {
      count.sources.set(source, (count.sources.get(source) ?? 0) + times);
    }
  }
}

/** Traffic that runs. */
export interface Traffic {
  /** Returns what was counted since it was asked last. */
  take(): Tally;
  /** Sends nothing more, and waits for what was sent. Throws what a check threw. */
  stop(): Promise<void>;
}

/** Sends checks from now on. `answered` is told of each. */
export function startTraffic(
  limiters: readonly Limiter[],
  key: string,
  timers: Timers,
  answered: (decision: Decision) => void,
): Traffic {
  let tally = createTally();
  let failure: { readonly error: unknown } | undefined;
  const inFlight = new Set<Promise<void>>();
  const ask = async (limiter: Limiter, policy: string) => {
    const startedMs = timers.now();
    try {
      const decision = await limiter.check({ policy, key });
      const count = tally.counts.get(policy)!;
      count[decision.allowed ? "admitted" : "denied"] += 1;
      count.sources.set(decision.source, (count.sources.get(decision.source) ?? 0) + 1);
      tally.slowestMs = Math.max(tally.slowestMs, timers.now() - startedMs);
      answered(decision);
    } catch (error) {
      failure ??= { error };
    }
  };
  const cancel = timers.every(TICK_MS, () => {
    for (const limiter of limiters) {
      for (const mode of MODES) {
        const asked = ask(limiter, mode).finally(() => inFlight.delete(asked));
        inFlight.add(asked);
      }
    }
  });
  return {
    take() {
      const taken = tally;
      tally = createTally();
      return taken;
    },
    async stop() {
      cancel();
      await Promise.all(inFlight);
      if (failure !== undefined) throw failure.error;
    },
  };
}

/** The circuits of the nodes to their one Redis. */
export interface Circuits {
  telemetryOf(node: number): Telemetry;
  states(): readonly CircuitState[];
}

/** Watches them; `changed` is told when one is another. */
export function watchCircuits(nodes: number, changed: () => void): Circuits {
  const states: CircuitState[] = Array.from({ length: nodes }, () => "closed");
  return {
    telemetryOf: (node) => ({
      circuitChanged({ state }) {
        states[node] = state;
        changed();
      },
    }),
    states: () => states,
  };
}
