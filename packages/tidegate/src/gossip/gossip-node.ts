// One node that gossips: its keys, what it knows of the others, and the rounds in which it tells them.

import { createStanding } from "../algorithms/elsewhere.ts";
import { type Policy, shareOfPolicy } from "../policy/policy.ts";
import type { SteadyClock } from "../ports/clock.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { Random } from "../ports/random.ts";
import type { Signer } from "../ports/signer.ts";
import type { GossipStatus, Telemetry } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";
import type { CountedKey } from "./counted-key.ts";
import { Envelope } from "./envelope.ts";
import type { CheckedGossip } from "./gossip-options.ts";
import { Gossiper } from "./gossiper.ts";
import { CountedKeys } from "./keys.ts";
import { Learning } from "./learning.ts";
import { Origin, type OriginRegister } from "./origin.ts";
import { Peers } from "./peers.ts";
import { Publisher } from "./publisher.ts";
import { Replica } from "./replica.ts";
import { accrue, Shares, waitFor } from "./share.ts";
import { createSurroundings } from "./surroundings.ts";

/** What a node is made of. */
export interface GossipNodeOptions {
  readonly gossip: CheckedGossip;
  /** Where this node stands. */
  readonly region: string;
  readonly store: CountingStore;
  /** Names this life of the node, in 16 hexadecimal digits. */
  readonly instance: string;
  readonly signer: Signer | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly clock: SteadyClock;
  readonly timer: Timer;
  readonly random: Random;
  /** Finds what a key is decided by: undefined where that is not by gossip, or by no limit. */
  readonly policyOf: (policy: string, key: string) => Policy | undefined;
  /** Changes whenever what `policyOf` answers may have, but for overrides that end. */
  readonly generation: () => number;
  /** Whether a policy has overrides. */
  readonly hasOverrides: (policy: string) => boolean;
  /** Keys counted at most. */
  readonly maxKeys?: number;
}

/** Bytes that a key takes in a message, at least. */
const BYTES_OF_KEY = 8;
/** After how long without a word a key that is as if unused is forgotten; what others said of it after twice that. */
const SILENCE_US = 30_000_000;
/** Keys looked at in each round for whether they may be forgotten: so many at least, and all of them in this time. */
const SWEPT_KEYS = 100;
const SWEEP_MS = 60_000;

/** Keys in debt, and how deep. */
interface Debts {
  readonly keys: number;
  readonly units: number;
}

/** A node. */
export class GossipNode {
  readonly #options: GossipNodeOptions;
  readonly #keys: CountedKeys;
  readonly #surroundings = createSurroundings();
  readonly #replica: Replica;
  readonly #publisher: Publisher;
  readonly #shares: Shares;
  readonly #learning: Learning;
  readonly #peers: Peers;
  readonly #gossiper: Gossiper;
  readonly #steady: () => number;
  readonly #silenceUs: number;
  #staleSince = 0;
  readonly #parts = new WeakMap<Policy, { readonly nodes: number; readonly part: Policy }>();
  readonly #opening: Promise<void>;

  constructor(options: GossipNodeOptions) {
    const { gossip, store, clock, random, telemetry, signer, instance, timer, region } = options;
    const { transport, intervalMs, regionIntervalMs, fanout, maxMessageBytes } = gossip;
    this.#options = options;
    this.#keys = new CountedKeys(options.maxKeys);
    const steady = () => clock.steady();
    this.#steady = steady;
    const wall = () => clock.now();
    const surroundings = this.#surroundings;
    const intervalUs = 1_000 * intervalMs;
    const horizonUs = Math.max(4 * intervalUs, 500_000);
    const slowestUs = 1_000 * Math.max(regionIntervalMs, intervalMs);
    this.#silenceUs = Math.max(10 * slowestUs, SILENCE_US);
    const policyOf = (key: CountedKey) => this.#policyOf(key);
    const own = new Origin(instance);
    own.address = transport.address;
    own.region = region;
    own.version = 1;
    this.#learning = new Learning({ store, region, wall, steady, policyOf });
    this.#replica = new Replica(own, this.#keys, (register, before) => {
      this.#learning.learned(register, before);
    });
    const maxKeys = Math.floor((4 * maxMessageBytes) / BYTES_OF_KEY);
    this.#publisher = new Publisher({
      ...{ own, store, policyOf, wall, horizonUs, maxKeys },
      silenceUs: this.#silenceUs,
    });
    this.#shares = new Shares({ store, random, surroundings, region, intervalUs, horizonUs });
    this.#peers = new Peers(
      {
        ...{ replica: this.#replica, surroundings },
        members: () => transport.members(),
        changed: (change) => telemetry?.peerChanged?.(change),
        awayAfterUs: awayAfter(intervalUs),
        otherAwayAfterUs: awayAfter(slowestUs),
      },
      steady(),
    );
    this.#gossiper = new Gossiper({
      ...{ replica: this.#replica, peers: this.#peers, publisher: this.#publisher, surroundings },
      ...{ timer, random, steady, intervalMs, regionIntervalMs, fanout, maxBytes: maxMessageBytes },
      envelope: new Envelope({ transport, signer, telemetry, maxBytes: maxMessageBytes }),
      eachMessage: () => this.#learning.begin(),
      eachRound: () => {
        this.#noteSilence();
        this.#sweep();
      },
    });
    telemetry?.gossipWatched?.(() => this.status());
    this.#opening = this.#gossiper.open();
    // Told by whenJoined, which whoever starts a service waits for.
    this.#opening.catch(() => undefined);
  }

  /** Finds a key that is decided here, or begins to count it; undefined where there is no room. */
  keyOf(policy: Policy, name: string): CountedKey | undefined {
    const place = this.#options.store.placeOf(policy, name);
    const key = this.#keys.findAt(policy.name, name, place) ?? this.#keys.obtain(policy.name, name);
    if (key !== undefined && key.policy !== policy) this.#adopt(key, policy);
    return key;
  }

  /** Finds a key that is counted. */
  find(policy: Policy, name: string): CountedKey | undefined {
    const key = this.#keys.find(policy.name, name);
    if (key !== undefined && key.policy !== policy) this.#adopt(key, policy);
    return key;
  }

  /** Whether a cost is within what this node may spend of a key. Shadows may spend what they like. */
  mayTake(key: CountedKey, policy: Policy, cost: number): boolean {
    const { clock } = this.#options;
    const isFresh =
      key.round === this.#surroundings.round &&
      (key.holdsUntil === Number.POSITIVE_INFINITY || clock.now() < key.holdsUntil);
    if (isFresh && key.allowance >= cost) return true;
    const now = this.#steady();
    if (isFresh) {
      accrue(key, now);
      return key.allowance >= cost || policy.shadow;
    }
    this.#publisher.roll(key, policy);
    if (!key.isActive) this.#publisher.activate(key, now);
    this.#shares.reckon(key, policy, cost, now);
    return key.allowance >= cost || policy.shadow;
  }

  /** How long until this node may spend a cost, in microseconds, if the others want as much as they do. */
  waitFor(key: CountedKey, cost: number): number {
    return waitFor(key, cost, this.#steady(), this.#surroundings);
  }

  /** Returns what a key is decided by for which there is no room to count it: this node's part of the limits. */
  partOf(policy: Policy): Policy {
    const { nodes } = this.#surroundings;
    let known = this.#parts.get(policy);
    if (known?.nodes !== nodes) {
      known = { nodes, part: shareOfPolicy(policy, nodes) };
      this.#parts.set(policy, known);
    }
    return known.part;
  }

  /** Notes what work charged or gave back. */
  counted(policy: Policy, name: string, units: number): void {
    const key = this.#keys.obtain(policy.name, name);
    if (key === undefined) return;
    if (!key.isActive) this.#publisher.activate(key, this.#steady());
    // What was decided by a part, for want of room, is not told by it.
    this.#publisher.roll(key, this.#policyOf(key) ?? policy);
    key.units += units;
    // What was given back is there for this node at once.
    key.allowance -= units;
  }

  /** Tells all that a key begins anew. */
  reset(policy: Policy, name: string): void {
    const key = this.keyOf(policy, name);
    if (key !== undefined) this.#publisher.reset(key, policy, this.#steady());
  }

  async whenJoined(): Promise<void> {
    await this.#opening;
    await this.#gossiper.whenJoined();
  }

  async close(): Promise<void> {
    await this.#opening.catch(() => undefined);
    await this.#gossiper.close();
    await this.#options.store.detach(this.#options.telemetry);
  }

  status(): GossipStatus {
    const { own } = this.#replica;
    const now = this.#steady();
    let debts: Debts | undefined;
    const debtsNow = () => {
      debts ??= this.#debts();
      return debts;
    };
    return {
      address: own.address,
      instance: own.instance,
      region: own.region,
      joined: this.#surroundings.hasJoined,
      peers: this.#peers.all(now),
      rounds: this.#surroundings.round,
      lagMs: Math.round(this.#peers.lagUs(now) / 1_000),
      keys: this.#keys.size,
      keysWaiting: this.#publisher.waiting,
      forgivenUnits: this.#learning.forgiven,
      // Whoever does not ask does not wait for it.
      get keysInDebt() {
        return debtsNow().keys;
      },
      get debtUnits() {
        return debtsNow().units;
      },
    };
  }

  #debts(): Debts {
    const standing = createStanding();
    const debts = { keys: 0, units: 0 };
    for (const key of this.#keys.all()) {
      const policy = this.#policyOf(key);
      if (policy === undefined) continue;
      this.#options.store.standing(policy, key, 0, standing);
      if (standing.room >= 0) continue;
      debts.keys += 1;
      debts.units -= standing.room;
    }
    return debts;
  }

  /** Has a key go by other limits from now on. */
  #adopt(key: CountedKey, policy: Policy): void {
    // Windows of other lengths began at other times.
    if (key.policy?.rules !== policy.rules) key.windows = [];
    key.policy = policy;
    key.generation = this.#generationOf(key);
    key.round = -1;
    key.allowance = 0;
    key.granted = 0;
  }

  /** Finds what a key of which others told is decided by here. */
  #policyOf(key: CountedKey): Policy | undefined {
    if (key.generation === this.#options.generation()) return key.policy;
    const policy = this.#options.policyOf(key.policyName, key.name);
    if (policy !== undefined && policy !== key.policy) this.#adopt(key, policy);
    key.policy = policy;
    key.generation = this.#generationOf(key);
    return policy;
  }

  /** For how long it holds what a key is decided by: where an override may end, it is looked for each time. */
  #generationOf({ policyName }: CountedKey): number {
    return this.#options.hasOverrides(policyName) ? -1 : this.#options.generation();
  }

  /** Where others fell silent, or were heard again, divides the keys in use by what all want now. */
  #noteSilence(): void {
    const { staleSince, near } = this.#surroundings;
    const since = Math.max(staleSince, near.staleSince);
    if (since === this.#staleSince) return;
    this.#staleSince = since;
    for (const key of this.#publisher.active) {
      const policy = this.#policyOf(key);
      if (policy?.partition === "share") this.#shares.divide(key, policy);
    }
  }

  /** Forgets keys that are as if unused, and of which nobody has spoken for a while. */
  #sweep(): void {
    const now = this.#steady();
    const part = this.#options.gossip.intervalMs / SWEEP_MS;
    const count = Math.max(SWEPT_KEYS, Math.ceil(this.#keys.size * part));
    for (const key of this.#keys.next(count)) {
      if (key.isActive || !this.#isUnused(key)) continue;
      const own = key.own as OriginRegister | undefined;
      if (own !== undefined && now - own.touchedAt > this.#silenceUs) {
        own.origin.drop(own);
        key.own = undefined;
        key.units = 0;
        key.resets = 0;
        key.windows = [];
      }
      if (key.own !== undefined) continue;
      if (key.registers.some(({ touchedAt }) => now - touchedAt <= 2 * this.#silenceUs)) continue;
      for (const register of key.registers as OriginRegister[]) register.origin.drop(register);
      this.#keys.drop(key);
    }
  }

  #isUnused(key: CountedKey): boolean {
    const policy = this.#policyOf(key);
    if (policy === undefined) return true;
    return this.#options.store.decide(policy, key.name, 0, false).resetAfterMs === 0;
  }
}

function awayAfter(intervalUs: number): number {
  return Math.max(8 * intervalUs, 1_000_000);
}
