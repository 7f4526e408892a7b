// Nodes that gossip in virtual time, over a network that loses, repeats, delays and cuts off.

import type { GossipMessage } from "../../src/index.ts";
import {
  createLimiter,
  type GossipStatus,
  type Limiter,
  type PeerChange,
} from "../../src/index.ts";
import type { PolicyOptions } from "../../src/policy/policy.ts";
import type { Random } from "../../src/ports/random.ts";
import { createLoop, VirtualTime } from "../../src/simulation/virtual-time.ts";

/** How the network is. */
export interface Weather {
  latencyUs: number;
  loss: number;
  repeats: number;
  /** Addresses that cannot reach each other: those of different sides. */
  sides: readonly (readonly string[])[];
  /** Whether what one sends to another is lost. */
  blocks: (from: string, to: string) => boolean;
}

/** One node. */
export interface ClusterNode {
  readonly address: string;
  limiter: Limiter;
  status: () => GossipStatus;
  changes: PeerChange[];
  messages: GossipMessage[];
  isDown: boolean;
  /** Asleep, it does nothing, and what is due waits; what is sent to it is lost. */
  isAsleep: boolean;
}

/** What a cluster is made of. */
export interface ClusterOptions {
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  readonly nodes: number;
  readonly random: Random;
  readonly interval?: string;
  readonly regionInterval?: string;
  readonly region?: (node: number) => string;
  readonly secret?: (node: number) => string;
  readonly skewUs?: (node: number) => number;
  readonly maxMessageBytes?: number;
  readonly startUs?: number;
  /** Whether clocks tell durations by themselves; default true. */
  readonly hasSteadyClock?: boolean;
}

const START_US = 1_767_225_600_000_000;

/** Nodes, the network between them, and the time that passes. */
export class Cluster {
  readonly time: VirtualTime;
  readonly nodes: ClusterNode[] = [];
  readonly weather: Weather = {
    latencyUs: 500,
    loss: 0,
    repeats: 0,
    sides: [],
    blocks: () => false,
  };
  /** Addresses that all nodes are told of. */
  members: string[];
  bytes = 0;
  /** What the transport of a node that is started says; undefined where it can be opened. */
  openError: Error | undefined;
  /** Is told of each message that is sent. */
  sent: ((from: string, to: string, message: Uint8Array) => void) | undefined;
  readonly #options: ClusterOptions;
  readonly #waiting = new WeakMap<ClusterNode, (() => void)[]>();
  readonly #receivers = new Map<string, (message: Uint8Array) => void>();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.time = new VirtualTime(options.startUs ?? START_US);
    this.members = Array.from({ length: options.nodes }, (_, index) => `node-${index}`);
    for (let index = 0; index < options.nodes; index += 1) this.start(index);
  }

  /** Starts a node, with an empty memory. */
  start(index: number): ClusterNode {
    const { policies, random, interval = "100ms", region, secret, skewUs } = this.#options;
    const { time } = this;
    const address = `node-${index}`;
    const node = {
      address,
      changes: [],
      messages: [],
      isDown: false,
      isAsleep: false,
    } as unknown as ClusterNode;
    let life = true;
    const loop = createLoop(time, (work) => {
      const workIfThere = () => {
        if (life && !node.isDown) work();
      };
      if (node.isAsleep) waiting.push(workIfThere);
      else workIfThere();
    });
    const waiting: (() => void)[] = [];
    this.#waiting.set(node, waiting);
    node.limiter = createLimiter({
      policies,
      coordination: "gossip",
      ...(region === undefined ? {} : { region: region(index) }),
      gossip: {
        transport: {
          address,
          open: (receive) => {
            if (this.openError !== undefined) throw this.openError;
            this.#receivers.set(address, (message) => {
              if (!node.isDown && !node.isAsleep) receive(message);
            });
          },
          send: (to, message) => this.#send(address, to, message),
          members: () => this.members,
          close: () => {
            life = false;
            node.isDown = true;
          },
        },
        interval,
        ...(this.#options.regionInterval === undefined
          ? {}
          : { regionInterval: this.#options.regionInterval }),
        ...(secret === undefined ? {} : { secret: secret(index) }),
        ...(this.#options.maxMessageBytes === undefined
          ? {}
          : { maxMessageBytes: this.#options.maxMessageBytes }),
      },
      clock: {
        now: () => time.nowUs + (skewUs?.(index) ?? 0),
        ...(this.#options.hasSteadyClock === false
          ? {}
          : { steady: () => time.nowUs - START_US + 7_000_000 * index }),
      },
      timer: loop,
      scheduler: loop,
      random,
      telemetry: {
        gossipWatched: (status) => {
          node.status = status;
        },
        peerChanged: (change) => void node.changes.push(change),
        gossiped: (message) => void node.messages.push(message),
      },
    });
    this.nodes[index] = node;
    return node;
  }

  /** The same policies for one limiter without others. */
  localPolicies(): Record<string, PolicyOptions> {
    const entries = Object.entries(this.#options.policies).map(([name, options]) => {
      const { partition: _partition, regions: _regions, coordination: _one, ...rest } = options;
      return [name, rest] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Lets some milliseconds pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.time.runUntil(this.time.nowUs + 1_000 * milliseconds);
  }

  /** Asks a node `times` times at once; answers how many units were admitted. */
  async ask(node: number, policy: string, key: string, times = 1, cost = 1): Promise<number> {
    let admitted = 0;
    for (let time = 0; time < times; time += 1) {
      const { allowed } = await this.nodes[node]!.limiter.check({ policy, key, cost });
      if (allowed) admitted += cost;
    }
    return admitted;
  }

  /** Has a node go on that was asleep. */
  wake(node: ClusterNode): void {
    node.isAsleep = false;
    for (const work of this.#waiting.get(node)!.splice(0)) work();
  }

  /** Ends a node without a word. */
  kill(index: number): void {
    this.nodes[index]!.isDown = true;
  }

  /** Has a node receive bytes, whoever sent them. */
  deliver(to: string, message: Uint8Array): void {
    this.#receivers.get(to)?.(message);
  }

  #send(from: string, to: string, message: Uint8Array): void {
    const { random } = this.#options;
    const { latencyUs, loss, repeats, sides, blocks } = this.weather;
    this.bytes += message.length;
    this.sent?.(from, to, message);
    const sideOf = (address: string) => sides.findIndex((side) => side.includes(address));
    if (blocks(from, to) || (sides.length > 0 && sideOf(from) !== sideOf(to))) return;
    const copies = 1 + (random.next() < repeats ? 1 : 0);
    for (let copy = 0; copy < copies; copy += 1) {
      if (random.next() < loss) continue;
      const delayUs = Math.round(latencyUs * (0.5 + random.next()));
      this.time.at(this.time.nowUs + delayUs, () => this.#receivers.get(to)?.(message));
    }
  }
}
