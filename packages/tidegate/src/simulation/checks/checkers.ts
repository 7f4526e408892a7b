// The checks that stand beside a run: what the coordination promises is held against what happened, and the verdicts
// stand in the report.

import type { CheckedFault } from "../check-faults.ts";
import type { Verdict } from "../report.ts";
import type { Answer, SimulatedNode } from "../simulated-node.ts";
import { type BoundCheck, createBoundCheck, type Totals } from "./bound-check.ts";
import { FairnessCheck } from "./fairness-check.ts";
import { type Subject, sayUnits } from "./subject.ts";

/** The checks of one run. */
export class Checkers {
  readonly #subject: Subject;
  readonly #bound: BoundCheck;
  readonly #fairness: FairnessCheck;

  constructor(subject: Subject) {
    this.#subject = subject;
    this.#bound = createBoundCheck(subject);
    this.#fairness = new FairnessCheck(subject);
  }

  answered(answer: Answer): void {
    this.#bound.answered(answer);
    this.#fairness.answered(answer);
  }

  /** For how long nothing is to be asked before `verdicts` is, so that nodes can let go of what they hold. */
  get idleUs(): number {
    const { coordination, policy } = this.#subject.configuration;
    if (coordination !== "hybrid") return 0;
    // As long as a lease lasts it may be idle, and as long again until what is given back has arrived.
    return 2 * Math.max(1_000_000, 2_000 * policy.syncIntervalMs) + 5_000_000;
  }

  /** Judges, after that time. */
  verdicts(nodes: readonly SimulatedNode[], totals: Totals): Verdict[] {
    const verdicts = [
      this.#bound.verdict(totals),
      this.#fairness.verdict(),
      this.#memory(nodes),
      this.#answers(nodes),
    ];
    return verdicts.filter((verdict) => verdict !== undefined);
  }

  /** What nobody asks for is not held on to. */
  #memory(nodes: readonly SimulatedNode[]): Verdict | undefined {
    if (this.idleUs === 0) return undefined;
    const held = nodes.filter((node) => this.#isUp(node)).map((node) => node.unitsHeld());
    const units = held.reduce((sum, one) => sum + one, 0);
    const after = `${this.idleUs / 1_000_000} s after the last request`;
    const detail = `nodes hold ${sayUnits(units)} in leases, ${after}`;
    return { check: "memory", held: units === 0, detail };
  }

  /** No request is forgotten. */
  #answers(nodes: readonly SimulatedNode[]): Verdict {
    const pending = nodes
      .filter((node) => this.#isUp(node))
      .reduce((sum, node) => sum + node.pending, 0);
    const detail = `${pending} request${pending === 1 ? "" : "s"} without an answer at the end`;
    return { check: "answers", held: pending === 0, detail };
  }

  /** Whether a node is neither down nor paused when all is over. */
  #isUp({ index }: SimulatedNode): boolean {
    const { faults, durationUs } = this.#subject.scenario;
    return !faults.some((fault) => isAway(fault, index, durationUs));
  }
}

function isAway({ fault, nodes, untilUs }: CheckedFault, node: number, durationUs: number) {
  return (fault === "crash" || fault === "pause") && nodes.includes(node) && untilUs > durationUs;
}
