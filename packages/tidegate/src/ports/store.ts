// What keeps the states and decides on them: memory, or a server that nodes share.

import type { Receipt } from "../algorithms/key-state.ts";
import type { Decision } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import type { Telemetry } from "./telemetry.ts";

/** Keeps the states and decides on them atomically. A store that is `shared` answers with promises. */
export interface Store {
  /** Whether other nodes see the same counts. */
  readonly shared: boolean;
  /** Is told of a policy before it is asked about it. */
  use?(policy: Policy): void;
  /**
   * Decides `cost` units for `key`, and takes them where admitted and `consume` is set. All limits of the policy or
   * none. The policy may differ from the last call's of that name: what was consumed is carried over.
   * @throws TidegateError STORE_UNAVAILABLE, as a rejection, where no answer could be had.
   */
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision | Promise<Decision>;
  /**
   * The same, for whoever has something to be answered to already: left out where `decide` is as good.
   * @returns false where it is not possible for this one.
   */
  decideTo?(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
    answerTo: AnswerTo<Decision>,
  ): boolean;
  /**
   * Borrows as `run` does, for whoever has something to be answered to already: left out where `run` is as good.
   * @returns false where it is not possible for this one.
   */
  borrowTo?(work: LeaseWork, answerTo: AnswerTo<Outcome>): boolean;
  /**
   * Does what is more than a check, as one.
   * @throws TidegateError STORE_UNAVAILABLE as `decide`; INVALID_REQUEST where a record's id stands for other costs.
   */
  run(work: Work): Outcome | Promise<Outcome>;
  /** Puts parts into the groups that `run` can take as one: all of them, but in a Cluster those of one slot. */
  split(parts: readonly Part[]): readonly (readonly Part[])[];
  /** Forgets the key, so that it starts unused. Ids and reservations are not forgotten, but give nothing back then. */
  reset(policy: Policy, key: string): void | Promise<void>;
  /**
   * Names the server that has a key. Left out where there is only one; each has its own circuit breaker.
   */
  nodeOf?(policy: Policy, key: string): string;
  /**
   * Answers where the store can decide; rejects with STORE_UNAVAILABLE where it cannot.
   * @param node as `nodeOf` named it; left out, any.
   */
  ping(node?: string): void | Promise<void>;
  /**
   * Says that `limiter` uses the store, for the next `ttlMs`; 0 says that it does no more.
   * @returns how many do.
   */
  announce?(limiter: string, ttlMs: number): Promise<number>;
  /** Counts one more user of the store, who is told of what happens in it and will call `detach` once. */
  attach(telemetry: Telemetry | undefined): void;
  /**
   * Gives the store back, with what was given to `attach`; the last one to do so closes what the store itself opened.
   * It does not wait for an answer longer than about a second.
   */
  detach(telemetry: Telemetry | undefined): void | Promise<void>;
}

/** Takes an answer, or why there is none. */
export interface AnswerTo<T> {
  resolve(answer: T): void;
  reject(error: unknown): void;
}

/** One policy key, and how many units of it. */
export interface Part {
  readonly policy: Policy;
  readonly key: string;
  readonly cost: number;
}

/** Under which name an answer is remembered with the first part's key, and for how long. */
export interface RecordOptions {
  readonly id: string;
  readonly ttlUs: number;
  /** Whether the id was made for this work, so that nothing can have been answered under it. */
  readonly fresh?: boolean;
  /** All that is asked under the id, where the parts are but a group of it, in any order. */
  readonly whole?: readonly Part[];
}

/** Names what is remembered under an id: with the first part of the work that it answers. */
export interface RecordName {
  readonly first: Part;
  readonly id: string;
}

/** What `run` does. */
export type Work =
  /** Decides all parts, whose policy keys differ, and takes all of them where all admit. */
  | {
      readonly kind: "take";
      readonly parts: readonly Part[];
      /** Answers the same for the same id, and takes once. */
      readonly record?: RecordOptions;
      /** Names the permit that concurrency limits give out. */
      readonly permit?: string;
      /** Whether that name was made for this work, so that nobody knows it who was not told. */
      readonly freshPermit?: boolean;
      /** How long its receipts may be used, by a settlement or to give back; left out, they are for no use. */
      readonly receiptUs?: number;
      /** Of a store in memory: denies it for so long, since what there is is not this node's to give. */
      readonly deniedUs?: number;
    }
  /** Gives the part's units back: those of a receipt and its instant; or left out and Infinity, those taken last. */
  | {
      readonly kind: "give";
      readonly part: Part;
      readonly takenAt: number;
      readonly receipt?: Receipt;
      readonly record?: RecordOptions;
      /** The record of the take that the receipt is of: it answers a denial from then on. */
      readonly undoes?: RecordName;
    }
  /** Replaces what was taken under the record `id` by the part's cost. */
  | { readonly kind: "settle"; readonly part: Part; readonly id: string }
  | LeaseWork
  /** Gives a permit back, or begins its lease anew. */
  | { readonly kind: "release" | "extend"; readonly part: Part; readonly permit: string };

/**
 * Borrows units of a policy that is `leasable` for a node to spend from its memory; the part's cost is the least that
 * is of use to it.
 */
export interface LeaseWork {
  readonly kind: "lease";
  readonly part: Part;
  readonly ask: LeaseAsk;
}

/** What a node asks for, and gives back. */
export interface LeaseAsk {
  /** Names the node, by letters, digits and dashes. */
  readonly node: string;
  /** Units that it can use soon; 0 where it only gives back. */
  readonly want: number;
  /** Part of what nobody wants that comes on top, 0 to 1. */
  readonly spare: number;
  /** Units of use to it at most while the lease lasts, with those on top; left out, as many as there are. */
  readonly most?: number;
  /** For how long what is granted may be given back, in microseconds. */
  readonly keepUs: number;
  /** Units that it admitted and had not: taken, whether they are there or not. */
  readonly owed: number;
  /** What is left of leases that were granted before. */
  readonly backs: readonly LeaseBack[];
}

/** Units of a lease that were not spent. */
export interface LeaseBack {
  readonly units: number;
  /** When the lease was granted, by the store's clock, and what was taken. */
  readonly takenAt: number;
  readonly receipt: Receipt;
}

/** What was granted, debited already. */
export interface LeaseGrant {
  readonly units: number;
  /** Microseconds until the first window of a limit ends, after which it must not be spent; Infinity: none does. */
  readonly windowLeftUs: number;
  /** By how many units the key is in debt. */
  readonly debt: number;
  /** The key's states, as they were after it at the outcome's instant. */
  readonly numbers: Float64Array;
}

/** What came of it. */
export interface Outcome {
  /** Of takes: of the part that bound. Else how the key stands, as a look at a cost of 0 would answer. */
  readonly decision: Decision;
  /** Whether it was done: all parts taken, the reservation settled, the permit held. */
  readonly done: boolean;
  /**
   * Of takes, by part: what was taken, to be given back. Undefined where nothing was: a part of a shadow policy may be
   * admitted and not taken. Empty where it is told again under other limits.
   */
  readonly receipts: readonly (Receipt | undefined)[];
  /** When, by the store's clock, in microseconds. */
  readonly at: number;
  /** Of a lease. */
  readonly lease?: LeaseGrant;
  /** Of a take whose permit was held already, so that nothing was taken: what it holds, and for how long still. */
  readonly held?: { readonly units: number; readonly leftUs: number };
}
