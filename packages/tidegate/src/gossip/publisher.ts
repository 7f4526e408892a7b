// What this node says of its keys, once a round: what it admitted and what it was asked for. Only keys that are in use
// are looked at, and where there is more to say than may be said in a round, the keys that changed most go first.

import { isWindow, usedOf, windowStart } from "../algorithms/elsewhere.ts";
import type { Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { CountedKey, WindowCount } from "./counted-key.ts";
import { codeDemand, demandOf } from "./demand.ts";
import type { Origin, OriginRegister } from "./origin.ts";

/** Demand is told by itself once it is so many times what was told, or what was told so many times it. */
const MUCH = 1.5;

/** What it publishes from and to. */
export interface PublisherOptions {
  readonly own: Origin;
  readonly store: CountingStore;
  readonly wall: () => number;
  readonly horizonUs: number;
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

  /** Says what changed since it last did. */
  publish(now: number): void {
    const { horizonUs, maxKeys } = this.#options;
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
    for (const key of chosen) this.#write(key, now);
  }

  /** Says at once that a key was reset. */
  reset(key: CountedKey, now: number): void {
    key.units = 0;
    key.resets += 1;
    key.allowance = 0;
    key.granted = 0;
    key.unseen = 0;
    key.round = -1;
    for (const window of key.windows) {
      window.base = 0;
      window.baseBefore = 0;
    }
    this.#write(key, now);
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
        key.windows.push({ start, base: key.units, baseBefore: key.units });
      } else if (start > window.start) {
        const isNext = start - window.start < 1.5 * limit.windowUs;
        window.baseBefore = isNext ? window.base : key.units;
        window.base = key.units;
        window.start = start;
        // What was spent of the window before is not spent of this one.
        if (policy.limits.length === 1) {
          key.unseen = 0;
          key.shared = 0;
          key.expectedRoom -= key.granted - key.allowance;
          key.granted = key.allowance;
        }
      }
    }
  }

  #isChanged(key: CountedKey, now: number): boolean {
    const { own, policy } = key;
    const { horizonUs } = this.#options;
    if (policy === undefined) return false;
    if (own === undefined) return key.units !== 0 || key.demand > 0;
    if (own.units !== key.units) return true;
    // How it stands here is told now and then by a node that is asked and has nothing to give.
    if (key.demandAt === now && now - own.touchedAt > horizonUs / 2) return true;
    const told = demandOf(own.demand);
    return key.demand > told ? key.demand > MUCH * told : key.demand * MUCH < told;
  }

  #write(key: CountedKey, now: number): void {
    const { own } = this.#options;
    const policy = key.policy!;
    const version = own.version + 1;
    if (key.own !== undefined && key.own.levels.length !== policy.limits.length) {
      // Under other limits it is told of anew.
      const before = key.own as OriginRegister;
      own.drop(before);
      key.own = undefined;
      key.units -= before.units;
      key.windows = [];
    }
    key.own ??= own.create(++this.#ids, key, version, policy.limits.length);
    const register = key.own as OriginRegister;
    register.units = key.units;
    register.demand = codeDemand(key.demand);
    register.resets = key.resets;
    this.#fill(register, key, policy, now);
    own.version = version;
    own.wrote(register, version, now);
  }

  /** Fills in how the limits stand here. */
  #fill(register: OriginRegister, key: CountedKey, policy: Policy, now: number): void {
    const { store, wall } = this.#options;
    const view = store.view(policy, key.name);
    const wallNow = wall();
    const windows: WindowCount[] = [];
    for (let index = 0; index < policy.limits.length; index += 1) {
      const limit = policy.limits[index]!;
      const used =
        view === undefined
          ? 0
          : usedOf(limit, view.numbers, view.at + policy.offsets[index]!, view.now);
      register.levels[index] = Math.min(Math.ceil((100 * used) / limit.limit), 255);
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
  if (now - key.demandAt > 2 * horizonUs) key.demand = 0;
}

/** Returns the keys whose counts changed most, roughly: by powers of two. */
function mostChanged(keys: readonly CountedKey[], count: number): CountedKey[] {
  const bySize: CountedKey[][] = Array.from({ length: 32 }, () => []);
  for (const key of keys) {
    const pending = Math.abs(key.units - (key.own?.units ?? 0));
    bySize[31 - Math.clz32(Math.min(pending, 0x7fff_ffff) + 1)]!.push(key);
  }
  return bySize.reverse().flat().slice(0, count);
}
