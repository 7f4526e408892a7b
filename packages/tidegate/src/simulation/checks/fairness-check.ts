// Nodes that are asked for the same are admitted the same: Jain's index of what each was admitted of what it was asked
// for. Source: Jain, Chiu, Hawe, "A quantitative measure of fairness" (1984).

import type { Verdict } from "../report.ts";
import type { Answer } from "../simulated-node.ts";
import type { Subject } from "./subject.ts";

/** The least that holds: 1 is all alike, 1 / n is one node that has everything. */
const LEAST = 0.9;

/** Fewer units than these, of each node, say more of chance than of fairness. */
const LEAST_UNITS = 200;

/** Gathers what each node was asked for and admitted, and judges it. */
export class FairnessCheck {
  readonly #subject: Subject;
  readonly #asked: number[];
  readonly #admitted: number[];

  constructor(subject: Subject) {
    const zeros = () => new Array<number>(subject.scenario.nodes).fill(0);
    this.#subject = subject;
    this.#asked = zeros();
    this.#admitted = zeros();
  }

  answered({ request, decision, node }: Answer): void {
    this.#asked[node.index]! += request.cost;
    if (decision.allowed) this.#admitted[node.index]! += request.cost;
  }

  /** Returns undefined where nodes are not asked for the same, or too little for their limits to matter. */
  verdict(): Verdict | undefined {
    const asked = this.#asked;
    const admitted = this.#admitted;
    const all = sum(asked);
    const isEnough = Math.min(...asked) > 0.8 * Math.max(...asked) && sum(admitted) < 0.9 * all;
    const isCounted = Math.min(...asked) * (sum(admitted) / all) >= LEAST_UNITS;
    if (!this.#areAlike() || !isEnough || !isCounted) return undefined;
    const parts = admitted.map((units, node) => units / asked[node]!);
    const index = sum(parts) ** 2 / (parts.length * sum(parts.map((part) => part ** 2)));
    const detail =
      `Jain's index of the nodes is ${index.toFixed(3)}, of ${LEAST} at least; the least got ` +
      `${(100 * Math.min(...parts)).toFixed(1)} % of what it was asked for, the most ` +
      `${(100 * Math.max(...parts)).toFixed(1)} %`;
    return { check: "fairness", held: index >= LEAST, detail };
  }

  /** Whether all nodes are in one place, see the same keys at the same time, and nothing goes wrong for some. */
  #areAlike(): boolean {
    const { nodes, faults, regions, traffic, clockSkewMs } = this.#subject.scenario;
    const { limits } = this.#subject.configuration.policy;
    // Windows of clocks that differ begin at different times; and what one holds is taken as it begins.
    const isSteady = limits.every(({ algorithm }) => algorithm === "token-bucket");
    if (clockSkewMs > 0 && !isSteady) return false;
    const isEven = traffic.every(({ spread, weights }) => {
      return spread !== "by-key" && weights.every((weight) => weight === weights[0]);
    });
    const isOnePlace = regions.every((region) => region === regions[0]);
    return nodes > 1 && faults.length === 0 && isEven && isOnePlace;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
