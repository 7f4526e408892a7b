// Runs one scenario of the model: nodes that are asked by chance, faults that come by chance, all from one seed. Says
// what was wrong and what it measured.

import {
  createLimiter,
  type Decision,
  type Limiter,
  memoryStore,
  type PolicyOptions,
} from "tidegate";
import { VirtualTime } from "tidegate/simulation";
import { createPolicy } from "../../packages/tidegate/src/policy/policy.ts";
import { createWeighted } from "../../packages/tidegate/src/simulation/seeded-random.ts";
import { createSeededRandom, type SeededRandom } from "../support/seeded-random.ts";
import { KeyAccount } from "./account.ts";
import { chance, gapUs } from "./chance.ts";
import { planFaults } from "./faults.ts";
import { KEYS, ModelNode, type Times } from "./node.ts";
import type { Scenario } from "./scenario.ts";
import { SharedServer } from "./shared-server.ts";

/** What a run measured. */
export interface ModelResult {
  readonly requests: number;
  /** Units that were admitted of what the store had, and that one limiter that sees every request would have. */
  readonly admitted: number;
  readonly ideal: number;
  /** The same, without the first seconds: in those units are where nobody needs them. */
  readonly laterAdmitted: number;
  readonly laterIdeal: number;
  /** Requests that were denied, and those of them that the one limiter would have admitted. */
  readonly denied: number;
  readonly wronglyDenied: number;
  /** Jain's index over the nodes of the part that each was admitted of what it was asked for. */
  readonly fairness: number;
  /** The part of the node that got the least, divided by the part of all. */
  readonly leastPart: number;
  readonly calls: number;
  readonly works: number;
  /** What was wrong. */
  readonly wrong: readonly string[];
}

/** Time after the traffic: for what is on its way, and for leases to end. */
const REST_US = 6_000_000;

/** What is later than the start. */
const LATER_US = 2_000_000;

/** How many things that are wrong are told. */
const MAX_WRONG = 5;

/** Runs a scenario. */
export async function runModel(scenario: Scenario, seed: number): Promise<ModelResult> {
  const run = new ModelRun(scenario, createSeededRandom(seed));
  await run.traffic();
  await run.rest();
  await run.close();
  return run.result();
}

class ModelRun {
  readonly #scenario: Scenario;
  readonly #random: SeededRandom;
  readonly #time: VirtualTime;
  readonly #server: SharedServer;
  readonly #nodes: readonly ModelNode[];
  readonly #accounts = new Map<number, KeyAccount>();
  readonly #ideal: Limiter;
  /** For how long a check may wait, whatever it waits for. */
  readonly #deadlineMs: number;
  readonly #wrong: string[] = [];
  readonly #asked: Float64Array;
  readonly #got: Float64Array;
  #requests = 0;
  #admitted = 0;
  #idealUnits = 0;
  #idealAllowed = false;
  /** What was admitted until LATER_US. */
  #early = { admitted: 0, ideal: 0 };
  #denied = 0;
  #wronglyDenied = 0;

  constructor(scenario: Scenario, random: SeededRandom) {
    this.#scenario = scenario;
    this.#random = random;
    this.#time = new VirtualTime(scenario.startUs);
    this.#server = new SharedServer(this.#time, random, scenario.network);
    this.#asked = new Float64Array(scenario.nodes);
    this.#got = new Float64Array(scenario.nodes);
    this.#nodes = Array.from({ length: scenario.nodes }, (_, index) => {
      return new ModelNode(
        index,
        this.#server,
        random,
        scenario,
        (...told) => this.#told(...told),
        (key, units) => this.#accountOf(key).lose(units),
      );
    });
    this.#ideal = this.#createIdeal(scenario.policy);
    this.#deadlineMs = createPolicy("model", scenario.policy).deadlineMs;
  }

  /** Creates one limiter that sees every request. */
  #createIdeal({ limits }: PolicyOptions): Limiter {
    const clock = { now: () => this.#time.nowUs };
    const decided = ({ allowed }: Decision) => {
      this.#idealAllowed = allowed;
    };
    const store = memoryStore({ clock });
    return createLimiter({ policies: { model: { limits } }, store, telemetry: { decided } });
  }

  /** Asks the nodes until the scenario's time is over. */
  async traffic(): Promise<void> {
    const { seconds, startUs, costs, rate } = this.#scenario;
    const random = this.#random;
    const time = this.#time;
    planFaults(this.#scenario, random, time, this.#server, this.#nodes);
    const draws = { next: () => chance(random) };
    const keyOf = createWeighted(this.#scenario.keyShares, draws);
    const nodeOf = createWeighted(this.#scenario.nodeShares, draws);
    const endUs = startUs + seconds * 1e6;
    time.at(startUs + LATER_US, () => {
      this.#early = { admitted: this.#admitted, ideal: this.#idealUnits };
    });
    for (let atUs = startUs; ; ) {
      atUs += gapUs(random, rate((atUs - startUs) / 1e6));
      if (atUs > endUs) break;
      const nowUs = Math.round(atUs);
      if (time.nextUs <= nowUs) await time.runUntil(nowUs);
      else time.nowUs = nowUs;
      this.#ask(nodeOf(), keyOf(), costs.length === 1 ? costs[0]! : random.pick(costs));
    }
    await time.runUntil(endUs);
  }

  #ask(node: number, key: number, cost: number): void {
    this.#requests += 1;
    this.#asked[node]! += cost;
    void this.#ideal.check({ policy: "model", key: KEYS[key]!, cost });
    if (this.#idealAllowed) this.#idealUnits += cost;
    this.#nodes[node]!.check(key, cost);
  }

  #told(decision: Decision, key: number, cost: number, node: ModelNode, times: Times): void {
    const { allowed, source } = decision;
    const { index } = node;
    const waitedMs = (this.#time.nowUs - times.askedUs) / 1_000;
    if (waitedMs > this.#deadlineMs) this.#note(`a check was answered after ${waitedMs} ms`);
    if (this.#scenario.isInTime && INSTEAD.has(source)) this.#note(`not asked in time: ${source}`);
    if (!allowed) {
      this.#denied += 1;
      if (this.#idealAllowed) this.#wronglyDenied += 1;
      if (decision.retryAfterMs === 0) this.#note(`denied with nothing to wait for: ${source}`);
      return;
    }
    // What is admitted where the store does not answer is admitted by its policy, beyond any limit.
    if (source !== "lease" && source !== "store") return;
    this.#admitted += cost;
    this.#got[index]! += cost;
    const wrong = this.#accountOf(key).admit(times.decidedUs, cost);
    if (wrong !== undefined) this.#note(`${KEYS[key]}: ${wrong}, by node ${index} from ${source}`);
  }

  #accountOf(key: number): KeyAccount {
    let account = this.#accounts.get(key);
    if (account === undefined) {
      const { policy, startUs, leaseUs, nodes: holders } = this.#scenario;
      const { limits, maxOvershoot = 0 } = policy;
      const beyond = limits.map(({ limit }) => Math.floor(maxOvershoot * limit));
      account = new KeyAccount({ limits, startUs, leaseUs, holders, beyond });
      this.#accounts.set(key, account);
    }
    return account;
  }

  /** Waits for what is on its way. */
  async rest(): Promise<void> {
    await this.#time.runUntil(this.#time.nowUs + REST_US);
    for (const { index, pending, errors } of this.#nodes) {
      if (pending > 0) this.#note(`${pending} checks of node ${index} were never answered`);
      for (const error of errors) this.#note(`node ${index}: ${error}`);
    }
    this.#lookForStranded("where nobody asks for any");
  }

  /** Holds what the store has left of each key against the account, where nothing can have been lost. */
  #lookForStranded(when: string): void {
    const { policy, losesUnits } = this.#scenario;
    if (losesUnits) return;
    const nowUs = this.#time.nowUs;
    const checked = createPolicy("model", { limits: policy.limits });
    for (const [key, account] of this.#accounts) {
      const left = this.#server.remaining(checked, KEYS[key]!);
      const least = account.left(nowUs);
      if (left < least)
        this.#note(`${KEYS[key]} has ${left} units left, and not ${least}, ${when}`);
    }
  }

  /** Closes all nodes, and looks whether what they held is back. */
  async close(): Promise<void> {
    let open = this.#nodes.length;
    for (const node of this.#nodes) {
      void node.close().then(() => {
        open -= 1;
      });
    }
    await this.#time.runUntil(this.#time.nowUs + REST_US);
    this.#lookForStranded("after all nodes are closed");
    if (open > 0) this.#note(`${open} nodes did not close`);
  }

  #note(what: string): void {
    if (this.#wrong.length < MAX_WRONG)
      this.#wrong.push(`${what}, ${this.#seconds()} s after the start`);
  }

  #seconds(): string {
    return ((this.#time.nowUs - this.#scenario.startUs) / 1e6).toFixed(6);
  }

  result(): ModelResult {
    const parts = this.#got.map((got, node) => got / Math.max(this.#asked[node]!, 1));
    const asked = this.#asked.reduce((sum, units) => sum + units, 0);
    return {
      requests: this.#requests,
      admitted: this.#admitted,
      ideal: this.#idealUnits,
      laterAdmitted: this.#admitted - this.#early.admitted,
      laterIdeal: this.#idealUnits - this.#early.ideal,
      denied: this.#denied,
      wronglyDenied: this.#wronglyDenied,
      fairness: fairnessOf(parts),
      leastPart: (Math.min(...parts) * asked) / this.#admitted,
      calls: this.#server.calls,
      works: this.#server.works,
      wrong: this.#wrong,
    };
  }
}

/** Who answers in place of a store that does not. */
const INSTEAD: ReadonlySet<string> = new Set(["fail-open", "fail-closed", "fallback"]);

/** Jain's index: 1 where all are equal, 1 / n where one has all. */
function fairnessOf(parts: Float64Array): number {
  const sum = parts.reduce((total, part) => total + part, 0);
  const squares = parts.reduce((total, part) => total + part * part, 0);
  return squares === 0 ? 1 : (sum * sum) / (parts.length * squares);
}
