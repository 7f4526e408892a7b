// Nodes that gossip in virtual time: the library itself, on a clock, a network and a source of chance of its own.

import { createLimiter, type GossipStatus, type Limiter, type LimiterOptions } from "tidegate";
import { createLoop, VirtualTime } from "tidegate/simulation";
import { createSeededRandom } from "../../../test/support/seeded-random.ts";

/** What a cluster is made of. */
export interface ModelClusterOptions {
  readonly nodes: number;
  readonly intervalMs: number;
  readonly policies: LimiterOptions["policies"];
  readonly seed: number;
}

/** One life of a node. */
export interface ModelNode {
  readonly limiter: Limiter;
  readonly status: () => GossipStatus;
  /** Ends it at once, without a word to the others. */
  kill(): void;
}

const START_US = 1_767_225_600_000_000;
/** A message takes half of this to one and a half times of it. */
const LATENCY_US = 500;
const DRAWS = 2 ** 32;

/** The nodes, and the network between them. */
export class ModelCluster {
  readonly time = new VirtualTime(START_US);
  readonly nodes: ModelNode[] = [];
  /** Sent so far, by all nodes. */
  bytes = 0;
  messages = 0;
  /** Places of the nodes that cannot reach the others; empty while all can reach all. */
  cutOff: readonly number[] = [];
  readonly #options: ModelClusterOptions;
  readonly #addresses: readonly string[];
  readonly #receivers = new Map<string, (message: Uint8Array) => void>();
  readonly #random: () => number;

  constructor(options: ModelClusterOptions) {
    const random = createSeededRandom(options.seed);
    this.#options = options;
    this.#random = () => random.below(DRAWS) / DRAWS;
    this.#addresses = Array.from({ length: options.nodes }, (_, place) => `node-${place}`);
    for (let place = 0; place < options.nodes; place += 1) this.start(place);
  }

  /** Milliseconds since the begin. */
  get nowMs(): number {
    return (this.time.nowUs - START_US) / 1_000;
  }

  /** Starts a node, with an empty memory. */
  start(place: number): void {
    const { intervalMs, policies } = this.#options;
    const address = this.#addresses[place]!;
    let isAlive = true;
    let status: (() => GossipStatus) | undefined;
    const loop = createLoop(this.time, (work) => {
      if (isAlive) work();
    });
    const limiter = createLimiter({
      ...{ policies, coordination: "gossip", timer: loop, scheduler: loop },
      random: { next: this.#random },
      clock: {
        now: () => this.time.nowUs,
        steady: () => this.time.nowUs - START_US + 7_000_000 * (place + 1),
      },
      gossip: {
        interval: intervalMs,
        transport: {
          address,
          open: (receive) => {
            this.#receivers.set(address, (message) => {
              if (isAlive) receive(message);
            });
          },
          send: (to, message) => this.#send(address, to, message),
          members: () => this.#addresses,
          close: () => undefined,
        },
      },
      telemetry: {
        gossipWatched: (watched) => {
          status = watched;
        },
      },
    });
    this.nodes[place] = {
      limiter,
      status: () => status!(),
      kill: () => {
        isAlive = false;
      },
    };
  }

  /** Lets time pass, until so many milliseconds after the begin. */
  async until(ms: number): Promise<void> {
    await this.time.runUntil(START_US + 1_000 * ms);
  }

  /** Whether every node hears of every other one. */
  seesAll(): boolean {
    return this.nodes.every(({ status }) => {
      const { peers, joined } = status();
      const reachable = peers.filter(({ state }) => state === "reachable");
      return joined && reachable.length === this.#addresses.length - 1;
    });
  }

  #send(from: string, to: string, message: Uint8Array): void {
    this.bytes += message.length;
    this.messages += 1;
    const isCutOff = (address: string) => this.cutOff.includes(this.#addresses.indexOf(address));
    if (isCutOff(from) !== isCutOff(to)) return;
    const delayUs = Math.round(LATENCY_US * (0.5 + this.#random()));
    this.time.at(this.time.nowUs + delayUs, () => this.#receivers.get(to)?.(message));
  }
}
