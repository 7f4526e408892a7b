// The messages of the gossip. A node asks another by a digest of what it knows ("syn"); that answers what the first
// does not know, and with a digest of its own ("ack"), which is answered in turn ("push"). Layout, all numbers of
// variable length but bytes:
//
//   "TG", version, kind, 1 where the sender has joined + 2 where it wants no push (bytes), its instance (8 bytes), its
//   address, its region, the address that it wrote to, the address that it was asked by (texts), a mark of the instant
//   at which it wrote, the mark of the message that it answers (numbers)
//   digest: a number of origins, for each its instance, version, age in ms
//   blocks: for each origin 1 (byte), its instance, 1 where it has left (byte), address, region, the version after
//     which it begins; registers; 0; the version that it goes up to, 1 where that is all there is (byte), age in ms;
//     behind the last 0, or 2 where there are others for which there was no room
//   register: its version less the one before; id × 32 + (limits - 1) × 4 + 1 where it is named + 2 where it is long;
//     where named: policy (0 and a text, or a number that stands for one), key, units known to whoever has forgotten it
//     (signed), age in ms; units (signed); demand (byte), levels (bytes); where long: resets, a number of windows, for
//     each its age in ms, units in it and in the one before.

import type { ByteWriter } from "./bytes.ts";
import type { Origin, OriginRegister } from "./origin.ts";

/** What a message is for. */
export type MessageKind = "syn" | "ack" | "push";

export const KINDS: readonly MessageKind[] = ["syn", "ack", "push"];
export const MAGIC: readonly number[] = [0x54, 0x47];
/** Version of the layout. */
export const MESSAGE_VERSION = 1;

/** From whom a message is. */
export interface Header {
  readonly kind: MessageKind;
  readonly instance: string;
  readonly address: string;
  readonly region: string;
  /** The address that it was sent to. */
  readonly to: string;
  /** Of an answer: the address that the sender was asked by. */
  readonly askedBy: string;
  /** Whether the sender has learned what there was before it came. */
  readonly hasJoined: boolean;
  /** Of an ack: whether the sender is being told by another what it does not know, and wants no push. */
  readonly isSated: boolean;
  /** Stands for the instant at which it was written, for the sender alone; `echo` is the mark of what it answers. */
  readonly mark: number;
  readonly echo: number;
}

/** What a node knows of another. */
export interface DigestEntry {
  readonly instance: string;
  readonly version: number;
  /** Microseconds since that was all there was. */
  readonly ageUs: number;
}

/** Who a block is about. */
export interface BlockHead {
  readonly instance: string;
  readonly hasLeft: boolean;
  readonly address: string;
  readonly region: string;
  /** What was written up to this version is not in it. */
  readonly from: number;
}

/** How a block ends. */
export interface BlockEnd {
  readonly to: number;
  /** Whether the sender knows no more. */
  readonly isAll: boolean;
  readonly ageUs: number;
}

/** A register as it was sent. One object is used for all. */
export interface SentRegister {
  version: number;
  id: number;
  limits: number;
  /** Undefined where the receiver knows what it is about. */
  name: SentName | undefined;
  units: number;
  demand: number;
  levels: Uint8Array;
  resets: number;
  windows: readonly SentWindow[];
}

/** What a register is about, for those who do not know it. */
export interface SentName {
  readonly policy: string;
  readonly key: string;
  /** Units that whoever knew all that was said before had been told of. */
  readonly base: number;
  /** Microseconds since it was written. */
  readonly ageUs: number;
}

/** A window of a limit as it was sent. */
export interface SentWindow {
  readonly ageUs: number;
  readonly present: number;
  readonly before: number;
}

/** Takes a message. */
export interface MessageSink {
  head(header: Header): void;
  digest(entries: readonly DigestEntry[]): void;
  /** Answers whether the registers of the block are of use. */
  begin(head: BlockHead): boolean;
  register(register: SentRegister): void;
  end(end: BlockEnd): void;
  /** Whether there are origins of which the message says nothing for want of room. */
  done(isMore: boolean): void;
}

/** The longest addresses and regions, in units of two bytes. */
export const MAX_ADDRESS = 512;
export const MAX_REGION = 64;

/** Ages above this are all the same: longer than the longest window. */
export const MAX_AGE_MS = 4_000_000_000_000;
/** Larger versions are never reached, at 4,000 a second for 2,000 years; and those behind them are refused. */
export const MAX_VERSION = 2 ** 48;
export const MAX_READ_VERSION = 2 ** 49;
/** More units are told as so many, so that what is signed stays a whole number. */
export const MAX_TOLD_UNITS = 2 ** 50;

/** Writes a message. */
export class MessageWriter {
  readonly #writer: ByteWriter;
  readonly #policies = new Map<string, number>();
  readonly #now: number;
  readonly #maxBytes: number;
  #most: number;
  #versionBefore = 0;

  /**
   * @param writer is cleared; whoever writes one message after another does so in the same memory.
   * @param now the sender's steady clock, in microseconds.
   * @param maxBytes how long it may become, beside its digest.
   */
  constructor(writer: ByteWriter, header: Header, now: number, maxBytes: number) {
    this.#writer = writer;
    writer.clear();
    for (const byte of [...MAGIC, MESSAGE_VERSION, KINDS.indexOf(header.kind)]) writer.byte(byte);
    writer.byte((header.hasJoined ? 1 : 0) + (header.isSated ? 2 : 0));
    writeInstance(writer, header.instance);
    for (const text of [header.address, header.region, header.to, header.askedBy])
      writer.text(text);
    writer.number(header.mark);
    writer.number(header.echo);
    this.#now = now;
    this.#maxBytes = maxBytes;
    this.#most = maxBytes;
  }

  /** The message; valid until another is written in the same memory. */
  get bytes(): Uint8Array {
    return this.#writer.written;
  }

  digest(origins: readonly Origin[]): void {
    const writer = this.#writer;
    writer.number(origins.length);
    for (const { instance, version, asOf } of origins) {
      writeInstance(writer, instance);
      writer.number(version);
      writer.number(this.#ageMs(asOf));
    }
    this.#most = writer.length + this.#maxBytes;
  }

  /** Whether no more blocks should be begun. */
  get isFull(): boolean {
    return this.#writer.length > this.#most;
  }

  /**
   * Writes what an origin said after a version, as far as it fits; answers whether that was all.
   * @param isOfUse says of which registers the receiver needs to know.
   */
  block(origin: Origin, from: number, isOfUse: (register: OriginRegister) => boolean): boolean {
    const writer = this.#writer;
    writer.byte(1);
    writeInstance(writer, origin.instance);
    writer.byte(origin.hasLeft ? 1 : 0);
    writer.text(origin.address);
    writer.text(origin.region);
    writer.number(from);
    this.#versionBefore = from;
    const to = origin.after(from, (register, at) => {
      if (this.isFull) return false;
      if (isOfUse(register)) this.#register(register, at);
      return true;
    });
    writer.number(0);
    writer.number(to);
    writer.byte(to === origin.version ? 1 : 0);
    writer.number(this.#ageMs(origin.asOf));
    return to === origin.version;
  }

  /** Ends it. */
  end(isMore: boolean): void {
    this.#writer.byte(isMore ? 2 : 0);
  }

  #register(register: OriginRegister, at: number): void {
    const writer = this.#writer;
    const { id, key, limits, resets, windows } = register;
    const isNamed = register.namedAt === at;
    const isLong = resets > 0 || windows.length > 0;
    writer.number(at - this.#versionBefore);
    this.#versionBefore = at;
    writer.number(id * 32 + (limits - 1) * 4 + (isNamed ? 1 : 0) + (isLong ? 2 : 0));
    if (isNamed) {
      this.#policy(key.policyName);
      writer.text(key.name);
      writer.signed(told(register.base));
      writer.number(this.#ageMs(register.touchedAt));
    }
    writer.signed(told(register.units));
    writer.byte(register.demand);
    for (let index = 0; index < limits; index += 1) writer.byte(register.levelOf(index));
    if (!isLong) return;
    writer.number(resets);
    writer.number(windows.length);
    for (const { startedAt, present, before } of windows) {
      writer.number(this.#ageMs(startedAt));
      writer.number(Math.max(told(present), 0));
      writer.number(Math.max(told(before), 0));
    }
  }

  #policy(name: string): void {
    const known = this.#policies.get(name);
    this.#writer.number(known ?? 0);
    if (known !== undefined) return;
    this.#policies.set(name, this.#policies.size + 1);
    this.#writer.text(name);
  }

  #ageMs(instant: number): number {
    // Nothing is made younger than it is.
    return Math.min(Math.max(Math.ceil((this.#now - instant) / 1_000), 0), MAX_AGE_MS);
  }
}

function told(units: number): number {
  return Math.min(Math.max(units, -MAX_TOLD_UNITS), MAX_TOLD_UNITS);
}

function writeInstance(writer: ByteWriter, instance: string): void {
  for (let at = 0; at < 16; at += 2) writer.byte(Number.parseInt(instance.slice(at, at + 2), 16));
}
