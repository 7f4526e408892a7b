// The network between the nodes, and between them and the store that they share: delays, loses, repeats and cuts off.
// The store is reached by connections, on which no message overtakes the one before; messages between nodes may.

import type { Random } from "../ports/random.ts";
import { type CheckedNetwork, completeNetwork, DEFAULT_NETWORK } from "./check-network.ts";
import type { NetworkOptions } from "./scenario.ts";
import { createSeededRandom, exponential } from "./seeded-random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Which of the messages between a node and the store do not arrive. */
export type Cut = "both" | "questions" | "answers";

/** Groups of nodes between which messages do not arrive. */
export interface Partition {
  /** By node, its side; undefined where the node reaches all. */
  readonly sideOf: readonly (number | undefined)[];
  /** Side that the store is on; undefined where all reach it. */
  readonly storeSide: number | undefined;
  /** What does not arrive: all, or only what a side sends to one that comes after it, or before it. */
  readonly lost: "both" | "forward" | "back";
}

/** Messages between nodes, and their bytes. */
export interface MessageCounts {
  /** Repeated ones are sent once. */
  sent: number;
  sentBytes: number;
  /** Repeated ones arrive twice; what arrives at a node that is down does not. */
  arrived: number;
  arrivedBytes: number;
}

/** What a network is made of. */
export interface SimulatedNetworkOptions extends NetworkOptions {
  readonly time: VirtualTime;
  /** Default 1. */
  readonly seed?: number;
  /** By node, where it stands; left out, all in one region. The store stands where the first node does. */
  readonly regions?: readonly string[];
}

/** Takes what arrives; later, or never, where the node is away. */
export type Receiver = (message: Uint8Array) => void;

/** The network. */
export class SimulatedNetwork {
  /** How it is now. */
  options: CheckedNetwork;
  /** Nodes that are cut off from the store now. */
  readonly cuts = new Map<number, Cut>();
  readonly partitions = new Set<Partition>();
  readonly messages: MessageCounts = { sent: 0, sentBytes: 0, arrived: 0, arrivedBytes: 0 };
  /** Is told of each message that is sent between nodes. */
  sent: (bytes: number) => void = () => {};
  readonly #time: VirtualTime;
  readonly #regions: readonly string[];
  readonly #toStore: Random;
  readonly #toPeers: Random;
  readonly #receivers = new Map<string, { readonly node: number; readonly receive: Receiver }>();

  constructor({ time, seed = 1, regions = [], ...options }: SimulatedNetworkOptions) {
    this.options = completeNetwork(DEFAULT_NETWORK, options);
    this.#time = time;
    this.#regions = regions;
    this.#toStore = createSeededRandom(seed, 3);
    this.#toPeers = createSeededRandom(seed, 5);
  }

  /**
   * Microseconds that a message between a node and its store takes; undefined where it does not arrive.
   * @param isNear whether the store stands beside the node, and not beside the first.
   */
  travelUs(node: number, direction: "questions" | "answers", isNear = false): number | undefined {
    const link = this.#linkOf(node, isNear ? node : 0);
    const random = this.#toStore;
    // Drawn whatever becomes of it, so that a cut does not change the messages of others.
    const isLost = random.next() < link.loss;
    const travelUs = Math.round(1_000 * (link.latencyMs + exponential(random, link.jitterMs)));
    const cut = this.cuts.get(node);
    const isCut = cut === "both" || cut === direction;
    const isApart = !isNear && this.#dividesFromStore(node, direction);
    return isLost || isCut || isApart ? undefined : travelUs;
  }

  /** Has a node receive under its address, in place of whoever did before. */
  join(address: string, node: number, receive: Receiver): void {
    this.#receivers.set(address, { node, receive });
  }

  /** Ends that. */
  leave(address: string, receive: Receiver): void {
    if (this.#receivers.get(address)?.receive === receive) this.#receivers.delete(address);
  }

  /** Sends a message from one node to the address of another. */
  send(from: number, address: string, message: Uint8Array): void {
    const { messages } = this;
    messages.sent += 1;
    messages.sentBytes += message.length;
    this.sent(message.length);
    const to = this.#receivers.get(address)?.node;
    const delays = this.#delaysUs(from, to ?? from);
    if (to === undefined) return;
    // Whoever sent it may write over it.
    const copy = message.slice();
    for (const delayUs of delays) {
      this.#time.at(this.#time.nowUs + delayUs, () => this.#arrive(address, copy));
    }
  }

  #arrive(address: string, message: Uint8Array): void {
    const receiver = this.#receivers.get(address);
    if (receiver === undefined) return;
    this.messages.arrived += 1;
    this.messages.arrivedBytes += message.length;
    receiver.receive(message);
  }

  /** Microseconds after which a message arrives: never, once, or twice. */
  #delaysUs(from: number, to: number): number[] {
    const { duplication, reordering, reorderingMs } = this.options;
    const link = this.#linkOf(from, to);
    const random = this.#toPeers;
    const isLost = random.next() < link.loss;
    const isTwice = random.next() < duplication;
    // Both are drawn, so that what follows does not depend on what becomes of this one.
    const delays = [0, 1].map(() => {
      const late = random.next() < reordering ? reorderingMs : 0;
      const lateMs = late * random.next();
      return Math.round(1_000 * (link.latencyMs + exponential(random, link.jitterMs) + lateMs));
    });
    const isCut = this.#divides((partition) => [partition.sideOf[from], partition.sideOf[to]]);
    if (isLost || isCut) return [];
    return isTwice ? delays : delays.slice(1);
  }

  #linkOf(from: number, to: number) {
    const { betweenRegions } = this.options;
    return this.#regions[from] === this.#regions[to] ? this.options : betweenRegions;
  }

  #dividesFromStore(node: number, direction: "questions" | "answers"): boolean {
    return this.#divides(({ sideOf, storeSide }) => {
      return direction === "questions" ? [sideOf[node], storeSide] : [storeSide, sideOf[node]];
    });
  }

  #divides(
    sidesIn: (partition: Partition) => readonly [from: number | undefined, to: number | undefined],
  ): boolean {
    for (const partition of this.partitions) {
      const [from, to] = sidesIn(partition);
      if (from === undefined || to === undefined || from === to) continue;
      if (partition.lost === "both" || (partition.lost === "forward") === from < to) return true;
    }
    return false;
  }
}
