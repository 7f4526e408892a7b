// What carries the gossip of a simulated node: the simulated network, in this process and in virtual time.

import type { Transport } from "../ports/transport.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";

/** What a transport is made of. */
export interface SimulatedTransportOptions {
  readonly network: SimulatedNetwork;
  /** From 0 on: which of the network's nodes it is. */
  readonly node: number;
  readonly address: string;
  /** Addresses of the nodes that there should be. */
  readonly members: () => readonly string[];
  /** Does what the node does on a message; later, or never, where the node is away. Left out: at once. */
  readonly run?: (work: () => void) => void;
}

/** A transport over a simulated network. */
export class SimulatedTransport implements Transport {
  readonly address: string;
  readonly #options: SimulatedTransportOptions;
  #receive: ((message: Uint8Array) => void) | undefined;
  readonly #arrived = (message: Uint8Array) => {
    const { run = (work: () => void) => work() } = this.#options;
    run(() => this.#receive?.(message));
  };

  constructor(options: SimulatedTransportOptions) {
    this.#options = options;
    this.address = options.address;
  }

  open(receive: (message: Uint8Array) => void): void {
    this.#receive = receive;
    this.#options.network.join(this.address, this.#options.node, this.#arrived);
  }

  send(address: string, message: Uint8Array): void {
    this.#options.network.send(this.#options.node, address, message);
  }

  members(): readonly string[] {
    return this.#options.members();
  }

  /** Stops. A message that comes later is one of those that are lost. */
  close(): void {
    this.#receive = undefined;
    this.#options.network.leave(this.address, this.#arrived);
  }
}
