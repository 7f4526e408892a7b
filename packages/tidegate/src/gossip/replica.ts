// What a node knows of what all nodes said: it learns from blocks in any order, however often they come, and says what
// another does not know. What one node says has one writer and one order, so to merge is to keep the later.

import type { CountedKeys } from "./keys.ts";
import type { BlockEnd, BlockHead, DigestEntry, MessageWriter, SentRegister } from "./message.ts";
import { Origin, type OriginRegister } from "./origin.ts";

/** Nodes, and lives of nodes, that are known at once. */
const MAX_ORIGINS = 2_048;

/** How long it takes until all that a node said is told again a second time, in microseconds. */
const REWIND_AFTER_US = 10_000_000;

/** What is known of a register before something was learned. */
export interface Before {
  readonly units: number;
  readonly resets: number;
  /** Whether it was not known, nor all that its origin had said until shortly before. */
  readonly isStrange: boolean;
}

const NO_WINDOWS: OriginRegister["windows"] = [];

/** Is told what was learned, after it was. One object is used for all that was known before. */
export type Learned = (register: OriginRegister, before: Before) => void;

/** The registers of all nodes. */
export class Replica {
  readonly own: Origin;
  readonly #origins = new Map<string, Origin>();
  readonly #keys: CountedKeys;
  readonly #learned: Learned;
  /** The block that is being learned: undefined while it is of no use. */
  #block: Origin | undefined;
  #hasLeft = false;
  #knownBefore = 0;
  #isBroken = false;
  #now = 0;
  #writtenAt = 0;
  readonly #before = { units: 0, resets: 0, isStrange: false };
  readonly #caughtUp = new WeakSet<Origin>();
  /** Where telling begins, so that what finds no room in one message does so in another. */
  #turn = 0;

  constructor(own: Origin, keys: CountedKeys, learned: Learned) {
    this.own = own;
    this.#keys = keys;
    this.#learned = learned;
    this.#origins.set(own.instance, own);
  }

  /** All origins, this node among them. */
  origins(): Iterable<Origin> {
    return this.#origins.values();
  }

  find(instance: string): Origin | undefined {
    return this.#origins.get(instance);
  }

  /** Forgets an origin, and all that it said. */
  forget(origin: Origin): void {
    for (const register of origin.registers()) remove(register);
    this.#origins.delete(origin.instance);
  }

  /** Forgets what an origin said of keys of which one that is there speaks as well. */
  shed(origin: Origin): void {
    for (const register of origin.registers()) {
      const { own, registers } = register.key;
      const isSpokenFor = registers.some((other) => !(other.origin as Origin).isOver);
      if (own !== undefined || isSpokenFor) remove(register);
    }
  }

  /**
   * Notes what another knows: of what is known here as well, that it is as young as it is there.
   * @param writtenAt when it wrote that, or earlier.
   */
  noteAges(digest: readonly DigestEntry[], writtenAt: number): void {
    for (const { instance, version, ageUs } of digest) {
      const origin = this.#origins.get(instance);
      if (origin === undefined || origin === this.own || origin.version < version) continue;
      origin.asOf = Math.max(origin.asOf, writtenAt - ageUs);
    }
  }

  begin(head: BlockHead, now: number, writtenAt: number): boolean {
    this.#block = undefined;
    this.#now = now;
    this.#writtenAt = writtenAt;
    if (head.instance === this.own.instance) return false;
    const known = this.#origins.get(head.instance);
    if (head.hasLeft && known !== undefined) known.hasLeft = true;
    if (head.from > (known?.version ?? 0)) return false;
    const origin = known ?? this.#add(head);
    origin.heardAt = now;
    this.#block = origin;
    this.#hasLeft = head.hasLeft;
    this.#knownBefore = origin.version;
    this.#isBroken = false;
    return true;
  }

  register(sent: SentRegister): void {
    const origin = this.#block!;
    const { version, id, name } = sent;
    if (this.#isBroken || version <= origin.version) return;
    const known = origin.find(id);
    const register = known ?? this.#create(origin, sent);
    if (register === undefined) return;
    origin.version = version;
    const isNews = version > register.version;
    const before = this.#before;
    before.units = known?.units ?? register.base;
    before.resets = register.resets;
    before.isStrange = known === undefined && !this.#caughtUp.has(origin);
    if (isNews) this.#copy(sent, register);
    const writtenUs = name === undefined ? this.#now : this.#now - name.ageUs;
    origin.wrote(register, version, Math.max(writtenUs, register.touchedAt));
    if (isNews) this.#learned(register, before);
  }

  end({ to, isAll, ageUs }: BlockEnd): void {
    const origin = this.#block;
    if (origin === undefined) return;
    this.#block = undefined;
    if (this.#isBroken) {
      origin.rewind(this.#now);
      this.#caughtUp.delete(origin);
      return;
    }
    // Whoever goes on to say something has not left, whatever a stranger said.
    if (to > this.#knownBefore && !this.#hasLeft) origin.hasLeft = false;
    origin.version = Math.max(origin.version, to);
    if (!isAll) return;
    this.#caughtUp.add(origin);
    origin.asOf = Math.max(origin.asOf, this.#writtenAt - ageUs);
  }

  /**
   * Writes what another does not know; answers whether that was all of it.
   * @param digest what it knows.
   * @param isOfUse of which origins it needs to know, and of which of their registers.
   */
  tell(
    writer: MessageWriter,
    digest: ReadonlyMap<string, number>,
    isOfUse: (origin: Origin, register?: OriginRegister) => boolean,
  ): boolean {
    const origins = [...this.#origins.values()].filter((origin) => {
      return origin.version > (digest.get(origin.instance) ?? 0) && isOfUse(origin);
    });
    let isAll = true;
    let written = 0;
    for (; written < origins.length && !writer.isFull; written += 1) {
      const origin = origins[(this.#turn + written) % origins.length]!;
      const from = digest.get(origin.instance) ?? 0;
      const wrote = writer.block(origin, from, (register) => isOfUse(origin, register));
      isAll &&= wrote;
    }
    writer.end(written < origins.length);
    isAll &&= written === origins.length;
    if (!isAll) this.#turn += Math.max(written - 1, 1);
    return isAll;
  }

  /** Creates a register that is not known; undefined where it cannot be. */
  #create(origin: Origin, { id, name, version, limits }: SentRegister): OriginRegister | undefined {
    if (name === undefined) {
      // It was known once, and forgotten here: all must be told again. Where there is no room that would not help, and
      // where it was just done, it did not.
      const isEarly = this.#now - origin.rewoundAt < REWIND_AFTER_US;
      this.#isBroken = !(isEarly || this.#keys.isFull);
      return undefined;
    }
    const key = this.#keys.obtain(name.policy, name.key);
    if (key === undefined) return undefined;
    const before = key.registers.find((one) => one.origin === origin);
    if (before !== undefined) remove(before as OriginRegister);
    const register = origin.create(id, key, version, limits);
    register.base = name.base;
    register.touchedAt = Number.NEGATIVE_INFINITY;
    key.registers.push(register);
    return register;
  }

  #copy(
    { units, demand, resets, levels, windows, name, version }: SentRegister,
    to: OriginRegister,
  ) {
    to.units = units;
    to.demand = demand;
    to.resets = resets;
    const limits = Math.min(levels.length, to.limits);
    for (let index = 0; index < limits; index += 1) to.setLevel(index, levels[index]!);
    to.windows =
      windows.length === 0
        ? NO_WINDOWS
        : windows.map(({ ageUs, present, before }) => {
            return { startedAt: this.#now - ageUs, present, before };
          });
    if (name === undefined) return;
    to.namedAt = version;
    to.base = name.base;
  }

  /** Adds an origin; where there are too many the one of which the least is to be expected makes room. */
  #add({ instance, address, region, hasLeft }: BlockHead): Origin {
    if (this.#origins.size >= MAX_ORIGINS) this.forget(this.#leastUseful());
    const origin = new Origin(instance);
    origin.address = address;
    origin.region = region;
    origin.hasLeft = hasLeft;
    this.#origins.set(instance, origin);
    return origin;
  }

  #leastUseful(): Origin {
    let least: Origin | undefined;
    for (const origin of this.#origins.values()) {
      if (origin === this.own) continue;
      if (least === undefined || isLessUseful(origin, least)) least = origin;
    }
    return least!;
  }
}

function isLessUseful(origin: Origin, other: Origin): boolean {
  if (origin.isOver !== other.isOver) return origin.isOver;
  return origin.asOf < other.asOf;
}

/** Removes what an origin said of a key. */
function remove(register: OriginRegister): void {
  const { registers } = register.key;
  registers.splice(registers.indexOf(register), 1);
  register.origin.drop(register);
}
