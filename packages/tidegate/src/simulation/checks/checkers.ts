// The checks that stand beside a run: what the coordination promises is held against what happened, and the verdicts
// stand in the report.

import type { CheckedFault } from "../check-faults.ts";
import type { Verdict } from "../report.ts";
import type { Answer, SimulatedNode } from "../simulated-node.ts";
import type { VirtualTime } from "../virtual-time.ts";
import { createBoundCheck } from "./bound-check.ts";
import { ConvergenceCheck, type Units } from "./convergence-check.ts";
import { FairnessCheck } from "./fairness-check.ts";
import type { BoundCheck, Totals } from "./judge.ts";
import { type Subject, sayCount, sayUnits } from "./subject.ts";

/** For how long nodes that gossip keep a key of which nobody says anything, and how many they look at in a round. */
const FORGETTING_US = 120_000_000;
const FORGOTTEN_IN_ROUND = 50;
/** Rounds of all nodes that are soon simulated. */
const MAX_ROUNDS = 2_500;

/** The checks of one run. */
export class Checkers {
  readonly #subject: Subject;
  readonly #bound: BoundCheck;
  readonly #fairness: FairnessCheck;
  readonly #convergence: ConvergenceCheck;

  /** @param count returns what has been asked for and admitted so far. */
  constructor(subject: Subject, time: VirtualTime, count: () => Units) {
    this.#subject = subject;
    this.#convergence = new ConvergenceCheck(subject, time, count);
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
    if (coordination === "gossip") return this.#forgettingUs();
    if (coordination !== "hybrid") return 0;
    // As long as a lease lasts it may be idle, and as long again until what is given back has arrived.
    return 2 * Math.max(1_000_000, 2_000 * policy.syncIntervalMs) + 5_000_000;
  }

  /** Judges, after that time. */
  verdicts(nodes: readonly SimulatedNode[], totals: Totals): Verdict[] {
    const verdicts = [
      this.#bound.verdict(totals),
      this.#convergence.verdict(),
      this.#fairness.verdict(),
      this.#memory(nodes),
      this.#answers(nodes),
    ];
    return verdicts.filter((verdict) => verdict !== undefined);
  }

  /** What nobody asks for is not held on to. */
  #memory(nodes: readonly SimulatedNode[]): Verdict | undefined {
    if (this.idleUs === 0) return undefined;
    const up = nodes.filter((node) => this.#isUp(node));
    const units = up.reduce((sum, node) => sum + node.unitsHeld(), 0);
    const keys = up.reduce((sum, node) => sum + (node.gossip()?.keys ?? 0), 0);
    const isGossip = this.#subject.configuration.gossip !== undefined;
    const what = isGossip ? `count ${sayCount(keys, "key")}` : `hold ${sayUnits(units)} in leases`;
    const after = `${Math.round(this.idleUs / 1_000_000)} s after the last request`;
    return { check: "memory", held: units + keys === 0, detail: `nodes ${what}, ${after}` };
  }

  /**
   * How long nodes that gossip take to forget all keys: until they are as if never used, and two minutes and some
   * rounds more. 0 where that is too much to simulate beside the traffic.
   */
  #forgettingUs(): number {
    const { scenario, configuration } = this.#subject;
    const intervalUs = 1_000 * configuration.gossip!.intervalMs;
    const fillUs = Math.max(...configuration.policy.limits.map(({ windowUs }) => windowUs));
    const keys = scenario.traffic.reduce((sum, { keys: { names }, replay }) => {
      return sum + (replay?.names ?? names).length;
    }, 0);
    const idleUs = fillUs + FORGETTING_US + (10 + keys / FORGOTTEN_IN_ROUND) * intervalUs;
    const roundsIn = (spanUs: number) => (scenario.nodes * spanUs) / intervalUs;
    const most = Math.max(MAX_ROUNDS, 5 * roundsIn(scenario.durationUs));
    return roundsIn(idleUs) > most ? 0 : idleUs;
  }

  /** No request is forgotten. */
  #answers(nodes: readonly SimulatedNode[]): Verdict {
    const pending = nodes
      .filter((node) => this.#isUp(node))
      .reduce((sum, node) => sum + node.pending, 0);
    const detail = `${sayCount(pending, "request")} without an answer at the end`;
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
