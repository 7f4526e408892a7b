// The scenario in virtual time: the same requests, the same code, and a network that is cut when it should be.

import { tokenBucket } from "tidegate";
import { createSchedule } from "../traffic/schedule.ts";
import type { Answers, PhaseTraffic, Run } from "./judge.ts";
import { ModelCluster, type ModelNode } from "./model-cluster.ts";
import {
  BATCH_MS,
  bordersOf,
  CUT_OFF,
  type Event,
  KILLED,
  NODES,
  PER_SECOND,
  type Scenario,
  USER_NAMES,
  USERS,
} from "./scenario.ts";

/** Nodes find each other before anything is asked. */
const SETTLE_MS = 3_000;
/** How long a node that is started again takes until it is asked: a process starts, and joins. */
const LOOK_MS = 50;

/** Runs a scenario in the model. */
export async function runModel(scenario: Scenario): Promise<Run> {
  const { phases, intervalMs, partition, seed } = scenario;
  const { capacity, refillPerSecond } = USERS;
  const limits = [tokenBucket({ capacity, refill: `${refillPerSecond}/s` })];
  const cluster = new ModelCluster({
    ...{ nodes: NODES, intervalMs, seed },
    policies: { users: { limits, partition } },
  });
  await cluster.until(SETTLE_MS);
  const borders = bordersOf(phases);
  const nodes = Array.from({ length: NODES }, (_, place) => {
    return new AskedNode(scenario, place, borders.at(-1)!);
  });
  const traffic: PhaseTraffic[] = [];
  for (const [phase, { begins, seconds }] of phases.entries()) {
    begin(cluster, begins);
    const { bytes, messages } = cluster;
    let allSeenMs = Number.NaN;
    for (let at = borders[phase]!; at < borders[phase + 1]!; at += BATCH_MS) {
      await cluster.until(SETTLE_MS + at);
      await Promise.all(nodes.map((node, place) => node.ask(cluster.nodes[place], at)));
      const isLook = Number.isNaN(allSeenMs) && at % LOOK_MS < BATCH_MS;
      if (isLook && (begins === "heal" || begins === "start") && cluster.seesAll()) {
        allSeenMs = at - borders[phase]!;
      }
    }
    traffic.push({
      bytesPerSecond: (cluster.bytes - bytes) / seconds / NODES,
      messagesPerSecond: (cluster.messages - messages) / seconds / NODES,
      cpu: Number.NaN,
      allSeenMs,
    });
  }
  return { answers: nodes.map((node) => node.answers()), traffic };
}

function begin(cluster: ModelCluster, event: Event): void {
  if (event === "cut") cluster.cutOff = CUT_OFF;
  if (event === "heal") cluster.cutOff = [];
  if (event === "kill") cluster.nodes[KILLED]!.kill();
  if (event === "start") cluster.start(KILLED);
}

/** What one node is asked, and answers. */
class AskedNode {
  readonly #dueUs: Uint32Array;
  readonly #keys: Uint16Array;
  readonly #isAsked: (atMs: number) => boolean;
  readonly #askedUs: number[] = [];
  readonly #askedKeys: number[] = [];
  readonly #admitted: number[] = [];
  #next = 0;

  constructor({ seed, phases }: Scenario, place: number, durationMs: number) {
    const { dueUs, keys } = createSchedule({
      ...{ seed: seed * NODES + place, perSecond: PER_SECOND / NODES, durationMs },
      ...{ keys: USERS.keys, zipf: 0 },
    });
    this.#dueUs = dueUs;
    this.#keys = keys;
    const killed = phases.findIndex(({ begins }) => begins === "kill");
    const [from, to] = bordersOf(phases).slice(killed);
    this.#isAsked = (atMs) => place !== KILLED || atMs < from! || atMs >= to!;
  }

  /** Asks what has fallen due by now. */
  async ask(node: ModelNode | undefined, atMs: number): Promise<void> {
    const isAsked = this.#isAsked(atMs) && node!.status().joined;
    const decisions = [];
    for (; this.#dueUs[this.#next]! < 1_000 * atMs; this.#next += 1) {
      if (!isAsked) continue;
      const key = this.#keys[this.#next]!;
      this.#askedUs.push(1_000 * atMs);
      this.#askedKeys.push(key);
      decisions.push(node!.limiter.check({ policy: "users", key: USER_NAMES[key]! }));
    }
    for (const { allowed } of await Promise.all(decisions)) this.#admitted.push(allowed ? 1 : 0);
  }

  answers(): Answers {
    return {
      askedUs: Uint32Array.from(this.#askedUs),
      keys: Uint16Array.from(this.#askedKeys),
      admitted: Uint8Array.from(this.#admitted),
    };
  }
}
