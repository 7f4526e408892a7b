// What a node knows of what all nodes said: it learns from blocks in any order, however often they come, and says what
// another does not know. What one node says has one writer and one order, so to merge is to keep the later.

import type { CountedKey } from "./counted-key.ts";
import type { CountedKeys } from "./keys.ts";
import type { BlockEnd, BlockHead, DigestEntry, MessageWriter, SentRegister } from "./message.ts";
import { Origin, type OriginRegister } from "./origin.ts";

/** Nodes, and lives of nodes, that are known at once. */
const MAX_ORIGINS = 4_096;

/** What is known of a register before something was learned. */
export interface Before {
  readonly units: number;
  readonly resets: number;
  /** Whether it was not known. */
  readonly isFirst: boolean;
  /** Whether all was known that its origin had said until shortly before. */
  readonly isCaughtUp: boolean;
}

/** Is told what was learned, after it was. */
export type Learned = (register: OriginRegister, before: Before) => void;

/** The registers of all nodes. */
export class Replica {
  readonly own: Origin;
  readonly #origins = new Map<string, Origin>();
  readonly #keys: CountedKeys;
  readonly #learned: Learned;
  /** The block that is being learned: undefined while it is of no use. */
  #block: Origin | undefined;
  #isBroken = false;
  #wasCaughtUp = false;
  #now = 0;
  readonly #caughtUp = new WeakSet<Origin>();

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

  forget(origin: Origin): void {
    this.#origins.delete(origin.instance);
  }

  /** Notes what another knows: of what is known here as well, that it is as young as it is there. */
  noteAges(digest: readonly DigestEntry[], now: number): void {
    for (const { instance, version, ageUs } of digest) {
      const origin = this.#origins.get(instance);
      if (origin === undefined || origin === this.own || origin.version < version) continue;
      origin.asOf = Math.max(origin.asOf, now - ageUs);
    }
  }

  begin(head: BlockHead, now: number): boolean {
    this.#block = undefined;
    this.#now = now;
    if (head.instance === this.own.instance) return false;
    const origin = this.#origins.get(head.instance) ?? this.#add(head);
    if (origin === undefined) return false;
    if (head.hasLeft) origin.hasLeft = true;
    if (head.from > origin.version) return false;
    this.#block = origin;
    this.#isBroken = false;
    this.#wasCaughtUp = this.#caughtUp.has(origin);
    return true;
  }

  register(sent: SentRegister): void {
    const origin = this.#block!;
    const { version, id, name } = sent;
    if (this.#isBroken || version <= origin.version) return;
    let register = origin.find(id);
    const isFirst = register === undefined;
    if (register === undefined) {
      if (name === undefined) {
        // It was known once, and forgotten here: all must be told again.
        this.#isBroken = true;
        return;
      }
      const key = this.#keys.obtain(name.policy, name.key);
      if (key === undefined) return;
      dropOf(origin, key);
      register = origin.create(id, key, version, sent.limits);
      key.registers.push(register);
    }
    origin.version = version;
    const isNews = version > register.version;
    const before = {
      units: register.units,
      resets: register.resets,
      isFirst,
      isCaughtUp: this.#wasCaughtUp,
    };
    if (isNews) this.#copy(sent, register);
    origin.wrote(register, version, this.#now);
    if (isNews) this.#learned(register, before);
  }

  end({ to, isAll, ageUs }: BlockEnd): void {
    const origin = this.#block;
    if (origin === undefined) return;
    this.#block = undefined;
    if (this.#isBroken) {
      origin.rewind();
      this.#caughtUp.delete(origin);
      return;
    }
    origin.version = Math.max(origin.version, to);
    if (!isAll) return;
    this.#caughtUp.add(origin);
    origin.asOf = Math.max(origin.asOf, this.#now - ageUs);
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
    writer.blocks(origins.length);
    let isAll = true;
    for (const origin of origins) {
      const from = digest.get(origin.instance) ?? 0;
      const wrote = writer.block(origin, from, (register) => isOfUse(origin, register));
      isAll &&= wrote;
    }
    return isAll;
  }

  #copy(sent: SentRegister, register: OriginRegister): void {
    register.units = sent.units;
    register.demand = sent.demand;
    register.resets = sent.resets;
    register.levels.set(sent.levels.subarray(0, register.levels.length));
    register.windows = sent.windows.map(({ ageUs, present, before }) => {
      return { startedAt: this.#now - ageUs, present, before };
    });
  }

  #add({ instance, address, region }: BlockHead): Origin | undefined {
    if (this.#origins.size >= MAX_ORIGINS) return undefined;
    const origin = new Origin(instance);
    origin.address = address;
    origin.region = region;
    this.#origins.set(instance, origin);
    return origin;
  }
}

/** Drops what an origin said of a key before it began anew. */
function dropOf(origin: Origin, { registers }: CountedKey): void {
  const index = registers.findIndex((one) => one.origin === origin);
  if (index < 0) return;
  origin.drop(registers[index] as OriginRegister);
  registers.splice(index, 1);
}
