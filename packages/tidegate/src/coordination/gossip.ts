// Gossip: this node's memory decides, alone and at once. It tells other nodes what it admitted, and counts what they
// did. There is no store, and always an answer. docs/coordination.md says how, and what that costs.

import type { Decision } from "../decision.ts";
import type { CountedKey } from "../gossip/counted-key.ts";
import { GossipNode, type GossipNodeOptions } from "../gossip/gossip-node.ts";
import { isNever, type Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { Outcome, Part, Work } from "../ports/store.ts";
import type { Coordination } from "./coordination.ts";
import { requireLeasable } from "./require-leasable.ts";

/** Creates the coordination by gossip over a store of this process. */
export function createGossip(options: GossipNodeOptions): Coordination {
  return new Gossip(options);
}

class Gossip implements Coordination {
  readonly #node: GossipNode;
  readonly #store: CountingStore;

  constructor(options: GossipNodeOptions) {
    this.#store = options.store;
    this.#node = new GossipNode(options);
    this.#store.attach(options.telemetry);
    this.#store.counted = (policy, key, units) => this.#node.counted(policy, key, units);
  }

  use(policy: Policy): void {
    requireLeasable(policy, "gossip");
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision {
    if (!consume || cost === 0) return this.#look(policy, key, cost);
    // No limit is below one unit.
    if (cost > 1 && isNever(policy, cost)) return this.#store.decide(policy, key, cost, true);
    const node = this.#node;
    const counted = node.keyOf(policy, key);
    if (counted === undefined) return this.#store.decide(node.partOf(policy), key, cost, true);
    counted.asked += cost;
    if (!node.mayTake(counted, policy, cost)) return this.#deny(counted, policy, cost);
    const decision = this.#store.decide(policy, key, cost, true);
    if (decision.allowed && !decision.shadow) {
      counted.allowance -= cost;
      counted.units += cost;
    }
    return decision;
  }

  run(work: Work): Outcome {
    if (work.kind !== "take") return this.#store.run(work);
    const node = this.#node;
    let deniedUs = 0;
    const parts = work.parts.map((part) => {
      const { policy, key, cost } = part;
      if (cost === 0) return part;
      const counted = node.keyOf(policy, key);
      if (counted === undefined) return { ...part, policy: node.partOf(policy) };
      counted.asked += cost;
      if (!node.mayTake(counted, policy, cost)) {
        deniedUs = Math.max(deniedUs, node.waitFor(counted, cost));
      }
      return part;
    });
    return this.#store.run({ ...work, parts, deniedUs });
  }

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    return [parts];
  }

  reset(policy: Policy, key: string): void {
    this.#store.reset(policy, key);
    this.#node.reset(policy, key);
  }

  /** Is answered once the node has joined. */
  ping(): Promise<void> {
    return this.#node.whenJoined();
  }

  close(): Promise<void> {
    return this.#node.close();
  }

  #look(policy: Policy, key: string, cost: number): Decision {
    const decision = this.#store.decide(policy, key, cost, false);
    if (!decision.allowed || cost === 0 || decision.shadow) return decision;
    const counted = this.#node.find(policy, key);
    if (counted === undefined || this.#node.mayTake(counted, policy, cost)) return decision;
    return this.#deny(counted, policy, cost);
  }

  /** Denies what may be there, but is not this node's to give before it hears from the others again. */
  #deny(counted: CountedKey, policy: Policy, cost: number): Decision {
    const decision = this.#store.deny(policy, counted, cost, this.#node.waitFor(counted, cost));
    const own = Math.max(Math.floor(counted.allowance), 0);
    return own < decision.remaining ? { ...decision, remaining: own } : decision;
  }
}
