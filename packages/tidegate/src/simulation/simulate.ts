// Runs a scenario: for each configuration, real limiters on real coordinations over a simulated store and network, in
// virtual time, beside an ideal limiter that sees every request.

import { TidegateError } from "../errors.ts";
import type { Random } from "../ports/random.ts";
import type { CheckedConfiguration } from "./check-configurations.ts";
import { failoversOf } from "./check-faults.ts";
import { type CheckedScenario, checkScenario } from "./check-scenario.ts";
import { Checkers } from "./checks/checkers.ts";
import { planFaults } from "./fault-plan.ts";
import { Meter } from "./meter.ts";
import type { ConfigurationReport, MessageReport, Report } from "./report.ts";
import { reportFault } from "./report-fault.ts";
import type { Scenario } from "./scenario.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { type MessageCounts, SimulatedNetwork } from "./simulated-network.ts";
import { SimulatedNode } from "./simulated-node.ts";
import { SimulatedStore } from "./simulated-store.ts";
import { createRequests, type Request } from "./traffic.ts";
import { VirtualTime } from "./virtual-time.ts";

/** How far a simulation is. */
export interface Progress {
  readonly configuration: string;
  /** Of all configurations, 0 to 1. */
  readonly done: number;
}

/** What goes with a simulation. */
export interface SimulateOptions {
  /** Is told a hundred times or so for each configuration. */
  readonly progress?: (progress: Progress) => void;
  /** Ends it early: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The beginning of 2026: windows and days are where they would be. */
const START_US = 1_767_225_600_000_000;

/** Time after the end, for answers that are on their way. */
const REST_US = 5_000_000;

/**
 * Simulates a scenario. The same scenario gives the same report.
 * @throws TidegateError INVALID_OPTION naming the first option that is wrong.
 */
export async function simulate(scenario: Scenario, options: SimulateOptions = {}): Promise<Report> {
  const result = checkScenario(scenario);
  if ("problems" in result) {
    const [{ field, message }] = result.problems as [(typeof result.problems)[number]];
    throw new TidegateError("INVALID_OPTION", message, { field });
  }
  const { checked } = result;
  const configurations: ConfigurationReport[] = [];
  for (const [index, configuration] of checked.configurations.entries()) {
    const run = new Run(checked, configuration);
    const tell = (done: number) => {
      options.signal?.throwIfAborted();
      const all = (index + done) / checked.configurations.length;
      options.progress?.({ configuration: configuration.name, done: all });
    };
    configurations.push(await run.report(tell));
  }
  return {
    scenario: checked.name,
    seed: checked.seed,
    durationMs: checked.durationUs / 1_000,
    nodes: checked.nodes,
    faults: checked.faults.map((fault) => reportFault(fault, checked.durationUs)),
    configurations,
  };
}

/** How long before the traffic the nodes begin, so that those that gossip know each other. */
function joiningUs({ gossip }: CheckedConfiguration): number {
  if (gossip === undefined) return 0;
  return 1_000 * Math.max(2_000, 5 * gossip.intervalMs, 3 * gossip.regionIntervalMs);
}

function lessMessages(after: MessageCounts, before: MessageCounts): MessageReport {
  return {
    sent: after.sent - before.sent,
    sentBytes: after.sentBytes - before.sentBytes,
    arrived: after.arrived - before.arrived,
    arrivedBytes: after.arrivedBytes - before.arrivedBytes,
  };
}

function sumByKey(maps: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [key, units] of maps.flatMap((map) => [...map])) {
    sums.set(key, (sums.get(key) ?? 0) + units);
  }
  return sums;
}

/** One configuration in a scenario. */
class Run {
  readonly #scenario: CheckedScenario;
  readonly #configuration: CheckedConfiguration;
  readonly #time: VirtualTime;
  readonly #network: SimulatedNetwork;
  /** By region, where each has a part of the limits; else one for all. */
  readonly #stores = new Map<string, SimulatedStore>();
  readonly #nodes: readonly SimulatedNode[];
  readonly #meter: Meter;
  readonly #checkers: Checkers;

  constructor(scenario: CheckedScenario, configuration: CheckedConfiguration) {
    const { seed, durationUs, traffic, network, regions } = scenario;
    this.#time = new VirtualTime(START_US - joiningUs(configuration));
    this.#scenario = scenario;
    this.#configuration = configuration;
    this.#meter = new Meter({
      time: this.#time,
      startUs: START_US,
      durationUs,
      policy: configuration.policy,
      seed,
      streams: traffic.map(({ name }) => name),
    });
    this.#network = new SimulatedNetwork({ ...network, time: this.#time, seed, regions });
    this.#network.sent = (bytes) => this.#meter.sent(bytes);
    this.#checkers = new Checkers(
      { scenario, configuration, startUs: START_US },
      this.#time,
      () => {
        return this.#meter.units();
      },
    );
    const skew = createSeededRandom(seed, 4);
    this.#nodes = Array.from({ length: scenario.nodes }, (_, index) => {
      return this.#createNode(index, skew);
    });
    const stores = [...this.#stores.values()];
    const victims = { time: this.#time, network: this.#network, stores, nodes: this.#nodes };
    planFaults(scenario.faults, victims, START_US);
  }

  #createNode(index: number, skew: Random): SimulatedNode {
    const { seed, nodes, clockSkewMs, regions } = this.#scenario;
    const region = regions[index]!;
    const isRegional = this.#configuration.options.regions !== undefined;
    const place = isRegional ? region : "";
    const store = this.#stores.get(place) ?? this.#createStore(isRegional);
    this.#stores.set(place, store);
    return new SimulatedNode({
      index,
      nodes,
      region,
      sharing: isRegional ? regions.filter((one) => one === region).length : nodes,
      configuration: this.#configuration,
      store,
      random: createSeededRandom(seed, 1_000 + index),
      skewUs: Math.round((2 * skew.next() - 1) * clockSkewMs * 1_000),
      witness: {
        answered: (answer) => {
          this.#meter.answered(answer.request, answer.decision);
          this.#checkers.answered(answer);
        },
        lost: (request) => this.#meter.lost(request),
      },
    });
  }

  #createStore(isNear: boolean): SimulatedStore {
    const { seed, faults } = this.#scenario;
    const lossesUs = failoversOf(faults).map(({ losesUs }) => losesUs);
    return new SimulatedStore({
      time: this.#time,
      network: this.#network,
      seed,
      isNear,
      lossesUs,
    });
  }

  async report(tell: (done: number) => void): Promise<ConfigurationReport> {
    const { durationUs } = this.#scenario;
    const { messages } = this.#network;
    await this.#time.runUntil(START_US);
    const before = { ...messages };
    await this.#ask(tell);
    const messagesInTraffic = lessMessages(messages, before);
    await this.#time.runUntil(START_US + durationUs + REST_US);
    const unansweredRequests = this.#nodes.reduce((sum, { pending }) => sum + pending, 0);
    const stores = [...this.#stores.values()];
    const storeCalls = stores.reduce((sum, { calls }) => sum + calls, 0);
    const keyUpdates = stores.reduce((sum, store) => sum + store.keyUpdates, 0);
    await this.#time.runUntil(START_US + durationUs + Math.max(this.#checkers.idleUs, REST_US));
    tell(1);
    const { name, coordination } = this.#configuration;
    const measured = this.#meter.measured();
    return {
      name,
      coordination,
      ...measured,
      unansweredRequests,
      storeCalls,
      keyUpdates,
      messages: messagesInTraffic,
      verdicts: this.#checkers.verdicts(this.#nodes, {
        ...measured,
        lostUnits: sumByKey(stores.map(({ lostUnits }) => lostUnits)),
      }),
    };
  }

  /** Asks the nodes for all requests. */
  async #ask(tell: (done: number) => void): Promise<void> {
    const { traffic, nodes, seed, durationUs } = this.#scenario;
    const time = this.#time;
    const stepUs = Math.max(durationUs / 100, 1);
    let told = 0;
    let isUnsettled = true;
    for (const request of createRequests(traffic, nodes, seed)) {
      const nowUs = START_US + request.atUs;
      // Most of what is decided in memory needs no turn of the real event loop, which would take most of the time.
      if (isUnsettled || time.nextUs <= nowUs) await time.runUntil(nowUs);
      else time.nowUs = nowUs;
      if (request.atUs >= told * stepUs) {
        tell(request.atUs / durationUs);
        told = Math.floor(request.atUs / stepUs) + 1;
      }
      isUnsettled = this.#send(request);
    }
    await time.runUntil(START_US + durationUs);
  }

  /** Sends a request to its node, or where that is down, to the next; says whether it may have to settle. */
  #send(request: Request): boolean {
    this.#meter.arrived(request);
    // Where none is ready, one that is up has to answer all the same.
    const isAnyReady = this.#nodes.some(({ isDown, isReady }) => !isDown && isReady);
    for (let turn = 0; turn < this.#nodes.length; turn += 1) {
      const node = this.#nodes[(request.node + turn) % this.#nodes.length]!;
      if (node.isDown || (isAnyReady && !node.isReady)) continue;
      node.isUnsettled = false;
      node.ask(request);
      return node.isUnsettled;
    }
    this.#meter.lost(request);
    return false;
  }
}
