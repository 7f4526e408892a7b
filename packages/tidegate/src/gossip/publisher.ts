// What this node says of its keys, once a round: what it admitted and what it was asked for. Only keys that are in use
// are looked at, and where there is more to say than may be said in a round, the keys that changed most go first.

import { consumed } from "../algorithms/dispatch.ts";
import { isWindow, windowStart } from "../algorithms/elsewhere.ts";
import type { Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { CountedKey, WindowCount } from "./counted-key.ts";
import { codeDemand, demandOf, IDLE_HORIZONS } from "./demand.ts";
import { MAX_TOLD_UNITS } from "./message.ts";
import type { Origin, OriginRegister } from "./origin.ts";

/** Demand is told by itself once it is so many times what others take it for, or the other way about. */
const MUCH = 1.5;

/** A register that has so many units begins anew, long before they are too many to be told. */
const MOST_UNITS = MAX_TOLD_UNITS / 2;

/** What it publishes from and to. */
export interface PublisherOptions {
  readonly own: Origin;
  readonly store: CountingStore;
  /** Finds what a key is decided by; undefined where that is not by gossip, or by no limit. */
  readonly policyOf: (key: CountedKey) => Policy | undefined;
  readonly wall: () => number;
  readonly horizonUs: number;
  /** After how long without a word others may have forgotten what was said of a key. */
  readonly silenceUs: number;
  /** Keys that may be told of in a round. */
  readonly maxKeys: number;
}

/** Publishes. */
export class Publisher {
  /** Keys that wait for their turn. */
  waiting = 0;
  readonly #options: PublisherOptions;
  readonly #active: CountedKey[] = [];
  #ids = 0;
  #publishedAt: number | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Has a key be looked at in each round, while it is asked for. */
  activate(key: CountedKey, now: number): void {
    key.isActive = true;
    if (key.wantedSince === Number.POSITIVE_INFINITY) key.wantedSince = now;
    this.#active.push(key);
  }

  /** Keys that are asked for. */
  get active(): readonly CountedKey[] {
    return this.#active;
  }

  /** Says what changed since it last did, as far as may be said in a round. */
  publish(now: number): void {
    this.#publish(now, this.#options.maxKeys);
  }

  /** Says all that changed since it last did. */
  publishAll(now: number): void {
    this.#publish(now, Number.POSITIVE_INFINITY);
  }

  #publish(now: number, maxKeys: number): void {
    const { horizonUs } = this.#options;
    const elapsedUs = Math.max(now - (this.#publishedAt ?? now - 1), 1);
    this.#publishedAt = now;
    const kept = Math.exp(-elapsedUs / horizonUs);
    const changed: CountedKey[] = [];
    const active = this.#active;
    let remain = 0;
    for (let index = 0; index < active.length; index += 1) {
      const key = active[index]!;
      reckonDemand(key, kept, elapsedUs, now, horizonUs);
      const isChanged = this.#isChanged(key, now);
      if (isChanged) changed.push(key);
      if (key.demand > 0 || isChanged) active[remain++] = key;
      else {
        key.isActive = false;
        key.wantedSince = Number.POSITIVE_INFINITY;
      }
    }
    active.length = remain;
    const chosen = changed.length > maxKeys ? mostChanged(changed, maxKeys) : changed;
    this.waiting = changed.length - chosen.length;
    if (this.waiting > 0) for (const key of changed) key.waited += 1;
    for (const key of chosen) this.#write(key, key.policy!, now);
  }

  /** Says at once that a key was reset. */
  reset(key: CountedKey, policy: Policy, now: number): void {
    key.units = 0;
    key.resets += 1;
    key.allowance = 0;
    key.granted = 0;
    key.unseen = 0;
    key.unseenLate = 0;
    key.round = -1;
    for (const window of key.windows) {
      window.base = 0;
      window.baseBefore = 0;
    }
    this.#write(key, policy, now);
  }

  /** Notes where windows began, before a request is counted. */
  roll(key: CountedKey, policy: Policy): void {
    const now = this.#options.wall();
    let index = 0;
    for (const limit of policy.limits) {
      if (!isWindow(limit)) continue;
      const start = windowStart(limit, now);
      const window = key.windows[index++];
      if (window === undefined) {
        // What was not told yet is of this window, as far as is known.
        const told = key.own?.units ?? 0;
        key.windows.push({ start, base: told, baseBefore: told });
      } else if (window.start - start > limit.windowUs) {
        // The clock was stepped back: as in the store, the window is brought back with what was counted in it.
        window.start = start;
      } else if (start > window.start) {
        const isNext = start - window.start < 1.5 * limit.windowUs;
        window.baseBefore = isNext ? window.base : key.units;
        window.base = key.units;
        window.start = start;
        // What was spent of the window before is not spent of this one.
        if (policy.limits.length === 1) {
          key.unseen = 0;
          key.unseenLate = 0;
          key.shared = 0;
          key.presumed = 0;
          key.expectedRoom -= key.granted - key.allowance;
          key.granted = key.allowance;
        }
      }
    }
  }

  #isChanged(key: CountedKey, now: number): boolean {
    const { own } = key;
    const { horizonUs } = this.#options;
    if (this.#options.policyOf(key) === undefined) return false;
    if (own === undefined) return key.units !== 0 || key.demand > 0;
    if (own.units !== key.units) return true;
    // How it stands here is told now and then by a node that is asked and has nothing to give.
    if (key.demandAt === now && now - own.touchedAt > horizonUs / 2) return true;
    const told = demandOf(own.demand, (now - own.touchedAt) / horizonUs);
    if (key.demand > told) return key.demand > MUCH * told;
    return key.demand > 0 && key.demand * MUCH < told;
  }

  #write(key: CountedKey, policy: Policy, now: number): void {
    const { own } = this.#options;
    const version = own.version + 1;
    const register = this.#registerOf(key, policy, version, now);
    key.waited = 0;
    register.units = key.units;
    register.demand = codeDemand(key.demand);
    register.resets = key.resets;
    this.#fill(register, key, policy, now);
    own.version = version;
    own.wrote(register, version, now);
  }

  #registerOf(key: CountedKey, policy: Policy, version: number, now: number): OriginRegister {
    const { own, silenceUs } = this.#options;
    const before = key.own as OriginRegister | undefined;
    const { length } = policy.limits;
    if (before?.limits === length && Math.abs(key.units) < MOST_UNITS) {
      if (now - before.touchedAt > silenceUs) {
        before.namedAt = version;
        before.base = before.units;
      }
      return before;
    }
    if (before !== undefined) this.#beginAnew(key, before);
    const register = own.create(++this.#ids, key, version, length);
    key.own = register;
    return register;
  }

  /** Ends a register: what was not told in it is told in the next. */
  #beginAnew(key: CountedKey, before: OriginRegister): void {
    this.#options.own.drop(before);
    if (key.resets > before.resets) {
      // It counts from a reset that was not told.
      key.resets = 1;
      return;
    }
    key.resets = 0;
    key.units -= before.units;
    for (const window of key.windows) {
      window.base -= before.units;
      window.baseBefore -= before.units;
    }
  }

  /** Fills in how the limits stand here. */
  #fill(register: OriginRegister, key: CountedKey, policy: Policy, now: number): void {
    const { store, wall } = this.#options;
    const view = store.view(policy, key);
    const wallNow = wall();
    const windows: WindowCount[] = [];
    for (let index = 0; index < policy.limits.length; index += 1) {
      const limit = policy.limits[index]!;
      const used =
        view === undefined
          ? 0
          : consumed(limit, view.numbers, view.at + policy.offsets[index]!, view.now);
      register.setLevel(index, Math.min(Math.ceil((100 * used) / limit.limit), 255));
      if (!isWindow(limit)) continue;
      const own = key.windows[windows.length];
      if (own === undefined) continue;
      windows.push({
        startedAt: now - (wallNow - own.start),
        present: key.units - own.base,
        before: own.base - own.baseBefore,
      });
    }
    register.windows = windows;
  }
}

/** Brings demand to now: its mean over the horizon, and none when nobody asked for two of them. */
function reckonDemand(
  key: CountedKey,
  kept: number,
  elapsedUs: number,
  now: number,
  horizonUs: number,
): void {
  if (key.asked > 0) key.demandAt = now;
  key.demand = key.demand * kept + (key.asked * 1_000_000 * (1 - kept)) / elapsedUs;
  key.asked = 0;
  if (now - key.demandAt > IDLE_HORIZONS * horizonUs) key.demand = 0;
}

/** Returns the keys whose counts changed most, roughly: by powers of two. Those that wait for long come to be first. */
function mostChanged(keys: readonly CountedKey[], count: number): CountedKey[] {
  const bySize: CountedKey[][] = Array.from({ length: 32 }, () => []);
  for (const key of keys) {
    const pending = Math.abs(key.units - (key.own?.units ?? 0)) + key.waited;
    bySize[31 - Math.clz32(Math.min(pending, 0x7fff_ffff) + 1)]!.push(key);
  }
  return bySize.reverse().flat().slice(0, count);
}
