// The circuits to the nodes of the store, as the limiter tells of them: one state for each node, for metrics, readiness
// and the log. However often nodes come and go under new addresses, no more than a fixed number is remembered.

import type { CircuitChange, CircuitState } from "tidegate";
import { systemTimers, type Timers } from "../runtime/timers.ts";

/** Nodes remembered at most: a Cluster has no more masters that work. */
export const MAX_NODES = 1_000;

/** By how bad a state is, which is also what metrics say. */
export const CIRCUIT_LEVELS: Readonly<Record<CircuitState, number>> = {
  closed: 0,
  "half-open": 1,
  open: 2,
};

/** The circuit to one node: the worst of those of its deadlines. */
export interface NodeCircuit {
  /** Address of the node; "" where the store is only one. */
  readonly node: string;
  readonly state: CircuitState;
  /** When it was last closed and is no more, or the other way round; a probe changes nothing of that. ISO 8601. */
  readonly since: string;
}

/** What became of a node's circuit. */
export interface NodeChange extends NodeCircuit {
  readonly before: CircuitState;
  /** What the call said that failed; undefined where none did. */
  readonly reason: string | undefined;
}

/** The circuits of one store. */
export class StoreCircuits {
  /** By node. What changed last is last. */
  readonly #nodes = new Map<string, { circuit: NodeCircuit; states: Map<number, CircuitState> }>();
  readonly #timers: Pick<Timers, "timestamp">;
  readonly #changed: (change: NodeChange) => void;

  /** @param changed is told where the state of a node becomes another one. */
  constructor(
    timers: Pick<Timers, "timestamp"> = systemTimers,
    changed: (change: NodeChange) => void = () => undefined,
  ) {
    this.#timers = timers;
    this.#changed = changed;
  }

  /** Knows a node before anything is heard of it. */
  expect(node: string): void {
    const circuit = { node, state: "closed" as const, since: this.#timers.timestamp() };
    this.#nodes.set(node, { circuit, states: new Map() });
  }

  /** Takes a change of one of a node's circuits down. */
  change({ node, deadlineMs, state: own, reason }: CircuitChange): void {
    const states = this.#nodes.get(node)?.states ?? new Map<number, CircuitState>();
    states.set(deadlineMs, own);
    const state = worstOf(states.values());
    const known = this.#nodes.get(node)?.circuit;
    const before = known?.state ?? "closed";
    const same = known !== undefined && (before === "closed") === (state === "closed");
    const circuit = { node, state, since: same ? known.since : this.#timers.timestamp() };
    this.#nodes.delete(node);
    if (this.#nodes.size >= MAX_NODES) this.#forgetOne();
    this.#nodes.set(node, { circuit, states });
    if (state !== before) this.#changed({ ...circuit, before, reason });
  }

  /** Returns the state of a node; one of which nothing was heard is closed. */
  stateOf(node: string): CircuitState {
    return this.#nodes.get(node)?.circuit.state ?? "closed";
  }

  /** Returns the circuits of the nodes that are known. */
  list(): NodeCircuit[] {
    return Array.from(this.#nodes.values(), ({ circuit }) => circuit);
  }

  /** Forgets a node that is well, or where none is, the one that has not changed for longest. */
  #forgetOne(): void {
    let victim: string | undefined;
    for (const [node, { circuit }] of this.#nodes) {
      if (circuit.state === "closed") {
        victim = node;
        break;
      }
      victim ??= node;
    }
    if (victim !== undefined) this.#nodes.delete(victim);
  }
}

function worstOf(states: Iterable<CircuitState>): CircuitState {
  let worst: CircuitState = "closed";
  for (const state of states) if (CIRCUIT_LEVELS[state] > CIRCUIT_LEVELS[worst]) worst = state;
  return worst;
}
