// One of two that run a history: a store, and the limiters over it, which begin anew in the middle as those of a
// process do that is started again.

import { type CheckRequest, createLimiter, type Decision, type Limiter } from "tidegate";
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";
import type { LeaseBack, Outcome, Part, Store } from "../../packages/tidegate/src/ports/store.ts";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import type { ManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import type { History, Step } from "./histories.ts";

/** What was asked for as one under an id. */
interface Whole {
  readonly policy: number;
  readonly requests: readonly CheckRequest[];
  readonly inSlots: boolean;
}

/** What is left of a lease. */
interface Lent {
  /** Which policy and key it is of; under others of the history's policies it is given back too. */
  readonly key: string;
  readonly limits: number;
  readonly back: LeaseBack;
}

/** One side. */
export class Side {
  readonly #history: History;
  readonly #clock: ManualClock;
  readonly #openStore: () => Store;
  /** What was taken last of several parts, to be given back. */
  #taken: { readonly parts: Part[]; readonly outcome: Outcome } | undefined;
  #whole: Whole | undefined;
  /** Leases that were granted and are not given back, the oldest first. */
  #lent: Lent[] = [];
  #node: Node;

  /** @param openStore opens the store, or another one over what it has written, or returns the one there is. */
  constructor(history: History, clock: ManualClock, openStore: () => Store) {
    this.#history = history;
    this.#clock = clock;
    this.#openStore = openStore;
    this.#node = openNode(history, clock, openStore());
  }

  get store(): Store {
    return this.#node.store;
  }

  get policies(): readonly Policy[] {
    return this.#node.policies;
  }

  get other(): Policy {
    return this.#node.other;
  }

  /** Begins anew, with nothing but what is in the store and what callers know. */
  async restart(): Promise<void> {
    await this.close();
    this.#node = openNode(this.#history, this.#clock, this.#openStore());
  }

  async close(): Promise<void> {
    const { limiters, inSlots } = this.#node;
    await Promise.all([...limiters, ...inSlots].map((limiter) => limiter.close()));
  }

  async takeEvery(step: Step): Promise<Outcome> {
    const parts = partsOf(this, step);
    const outcome = await this.store.run({ kind: "take", parts, receiptUs: 60_000_000 });
    this.#taken = { parts, outcome };
    return outcome;
  }

  /** Gives back what was taken of the first part that something was taken of; it may be as old as a reservation. */
  async giveBackTaken(): Promise<Outcome | undefined> {
    const { parts, outcome } = this.#taken ?? { parts: [], outcome: undefined };
    const index = outcome?.receipts.findIndex((receipt) => receipt !== undefined) ?? -1;
    const receipt = outcome?.receipts[index];
    this.#taken = undefined;
    if (outcome === undefined || receipt === undefined) return undefined;
    return this.store.run({ kind: "give", part: parts[index]!, takenAt: outcome.at, receipt });
  }

  /** Borrows as one of a few nodes, and gives some of what it has left of the key back. */
  async borrow(
    { key, cost, policy, id, others }: Step,
    index: number,
  ): Promise<Outcome | undefined> {
    const own = this.policies[policy]!;
    if (!own.leasable) return undefined;
    const mine = this.#lent.filter((one) => one.key === key && one.limits === own.limits.length);
    const given = index % 2 === 0 ? mine.slice(0, 2) : [];
    this.#lent = this.#lent.filter((one) => !given.includes(one));
    const want = id === 3 ? 0 : cost;
    const outcome = await this.store.run({
      kind: "lease",
      part: { policy: own, key, cost: Math.min(others[0]?.cost ?? 1, want) },
      ask: {
        node: `node-${id % 3}`,
        want,
        spare: [0, 0.25, 1][others.length]!,
        ...(index % 3 === 0 ? { most: want * 2 } : {}),
        keepUs: 4_000_000,
        owed: others.length === 2 ? others[1]!.cost : 0,
        backs: given.map(({ back }) => back),
      },
    });
    const [receipt] = outcome.receipts;
    if (receipt === undefined) return outcome;
    const units = Math.ceil((receipt.cost * (1 + (index % 3))) / 3);
    const back = { units, takenAt: outcome.at, receipt };
    this.#lent.push({ key, limits: own.limits.length, back });
    return outcome;
  }

  /** Checks several as one under an id; left out, what was asked so before. */
  async checkEvery(step?: Step): Promise<Decision | undefined> {
    if (step !== undefined) {
      const parts = partsOf(this, step);
      // Of few costs and one id, a reservation's too: now and then it is the same request in one slot only.
      const requests = parts.map(({ policy, key, cost }) => {
        return { policy: policy.name, key, cost: cost % 3 };
      });
      this.#whole = { policy: step.policy, requests, inSlots: step.id > 1 };
    }
    if (this.#whole === undefined) return undefined;
    const { policy, requests, inSlots } = this.#whole;
    const limiters = inSlots ? this.#node.inSlots : this.#node.limiters;
    return limiters[policy]!.checkEvery(requests, { id: "r0" });
  }
}

/** What a process has in memory of a history. */
interface Node {
  readonly store: Store;
  /** The history's policies, as this process has read them. */
  readonly policies: readonly Policy[];
  readonly other: Policy;
  /** A limiter for each of them. */
  readonly limiters: readonly Limiter[];
  /** The same, where each key is in a slot of its own. */
  readonly inSlots: readonly Limiter[];
}

function openNode(history: History, clock: ManualClock, store: Store): Node {
  const again = (policy: Policy) => createPolicy(policy.name, optionsOf(policy));
  const slots = splitByKey(store);
  const open = (own: Policy, over: Store) => {
    const policies = Object.fromEntries(
      [own, history.other].map((policy) => [policy.name, optionsOf(policy)]),
    );
    return createLimiter({ store: bareStore(over), clock, policies });
  };
  return {
    store,
    policies: history.policies.map(again),
    other: again(history.other),
    limiters: history.policies.map((policy) => open(policy, store)),
    inSlots: history.policies.map((policy) => open(policy, slots)),
  };
}

function optionsOf({ limits, shadow, idTtlUs }: Policy) {
  return { limits, shadow, idTtl: idTtlUs / 1_000 };
}

/** The same store, in which no two keys can be taken as one. */
function splitByKey(store: Store): Store {
  return {
    shared: store.shared,
    decide: (...args) => store.decide(...args),
    run: (work) => store.run(work),
    split: (parts) => [...Map.groupBy(parts, ({ key }) => key).values()],
    reset: (...args) => store.reset(...args),
    ping: () => store.ping(),
    attach: (telemetry) => store.attach(telemetry),
    detach: (telemetry) => store.detach(telemetry),
  };
}

/** Parts of different policy keys. */
function partsOf(side: Side, { others, key, cost, policy }: Step): Part[] {
  const part: Part = { policy: side.policies[policy]!, key, cost };
  const parts = [part, ...others.map((other) => ({ policy: side.other, ...other }))];
  const names = parts.map((one) => `${one.policy.name}:${one.key}`);
  if (others.length === 2) parts.push({ ...part, key: key === "a" ? "b" : "a" });
  return parts.filter(
    (_part, index) => index >= names.length || names.indexOf(names[index]!) === index,
  );
}
