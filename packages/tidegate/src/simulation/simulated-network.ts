// The network between the nodes and the store that they share: delays, loses and cuts off. As a connection does, it
// never lets a message overtake the one before.

import type { Random } from "../ports/random.ts";
import type { NetworkOptions } from "./scenario.ts";
import { exponential } from "./seeded-random.ts";

/** Which of the messages of a node do not arrive. */
export type Cut = "both" | "questions" | "answers";

/** The network. */
export class SimulatedNetwork {
  /** How it is now. */
  options: Required<NetworkOptions>;
  /** Nodes that are cut off now. */
  readonly cuts = new Map<number, Cut>();
  readonly #random: Random;

  constructor(options: Required<NetworkOptions>, random: Random) {
    this.options = options;
    this.#random = random;
  }

  /** Microseconds that a message takes; undefined where it does not arrive. */
  travelUs(node: number, direction: "questions" | "answers"): number | undefined {
    const { latencyMs, jitterMs, loss } = this.options;
    // Drawn whatever becomes of it, so that a cut does not change the messages of others.
    const isLost = this.#random.next() < loss;
    const travelUs = Math.round(1_000 * (latencyMs + exponential(this.#random, jitterMs)));
    const cut = this.cuts.get(node);
    return isLost || cut === "both" || cut === direction ? undefined : travelUs;
  }
}
