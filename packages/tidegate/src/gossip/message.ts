// The messages of the gossip. A node asks another by a digest of what it knows ("syn"); that answers what the first
// does not know, and with a digest of its own ("ack"), which is answered in turn ("push"). Layout, all numbers of
// variable length but bytes:
//
//   "TG", version, kind (bytes), sender's instance (8 bytes), its address, its region, the address that it wrote to,
//   the address that it was asked by (texts)
//   digest: a number of origins, for each its instance, version, age in ms
//   blocks: a number of origins, for each its instance, 1 where it has left (byte), address, region, the version after
//     which it begins; registers; 0; the version that it goes up to, 1 where that is all there is (byte), age in ms
//   register: its version less the one before; id × 32 + (limits - 1) × 4 + 1 where it is named + 2 where it is long;
//     where named: policy (0 and a text, or a number that stands for one), key; units (signed); demand (byte), levels
//     (bytes); where long: resets, a number of windows, for each its age in ms, units in it and in the one before.

import { ByteReader, ByteWriter, MalformedMessage } from "./bytes.ts";
import type { Origin, OriginRegister } from "./origin.ts";

/** What a message is for. */
export type MessageKind = "syn" | "ack" | "push";

const KINDS: readonly MessageKind[] = ["syn", "ack", "push"];
const MAGIC = [0x54, 0x47];
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
  name: { readonly policy: string; readonly key: string } | undefined;
  units: number;
  demand: number;
  levels: Uint8Array;
  resets: number;
  windows: readonly SentWindow[];
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
}

/** More origins than this are no cluster. */
const MAX_ORIGINS = 10_000;
const MAX_LIMITS = 8;
/** Ages above this are all the same: a year. */
const MAX_AGE_MS = 31_536_000_000;

/** Writes a message. */
export class MessageWriter {
  readonly #writer = new ByteWriter();
  readonly #policies = new Map<string, number>();
  readonly #now: number;
  readonly #maxBytes: number;
  #versionBefore = 0;

  /**
   * @param now the sender's steady clock, in microseconds.
   * @param maxBytes how long it may become.
   */
  constructor(header: Header, now: number, maxBytes: number) {
    const writer = this.#writer;
    for (const byte of [...MAGIC, MESSAGE_VERSION, KINDS.indexOf(header.kind)]) writer.byte(byte);
    writeInstance(writer, header.instance);
    writer.text(header.address);
    for (const text of [header.region, header.to, header.askedBy]) writer.text(text);
    this.#now = now;
    this.#maxBytes = maxBytes;
  }

  /** The message; valid as long as this is. */
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
  }

  /** Says how many blocks follow. */
  blocks(count: number): void {
    this.#writer.number(count);
  }

  /**
   * Writes what an origin said after a version, as far as it fits; answers whether that was all.
   * @param isOfUse says of which registers the receiver needs to know.
   */
  block(origin: Origin, from: number, isOfUse: (register: OriginRegister) => boolean): boolean {
    const writer = this.#writer;
    writeInstance(writer, origin.instance);
    writer.byte(origin.hasLeft ? 1 : 0);
    writer.text(origin.address);
    writer.text(origin.region);
    writer.number(from);
    this.#versionBefore = from;
    const to = origin.after(from, (register) => {
      if (writer.length > this.#maxBytes) return false;
      if (isOfUse(register)) this.#register(register, from);
      return true;
    });
    writer.number(0);
    writer.number(to);
    writer.byte(to === origin.version ? 1 : 0);
    writer.number(this.#ageMs(origin.asOf));
    return to === origin.version;
  }

  #register(register: OriginRegister, from: number): void {
    const writer = this.#writer;
    const { version, id, key, levels, resets, windows } = register;
    const isNamed = register.bornAt > from;
    const isLong = resets > 0 || windows.length > 0;
    writer.number(version - this.#versionBefore);
    this.#versionBefore = version;
    writer.number(id * 32 + (levels.length - 1) * 4 + (isNamed ? 1 : 0) + (isLong ? 2 : 0));
    if (isNamed) {
      this.#policy(key.policyName);
      writer.text(key.name);
    }
    writer.signed(register.units);
    writer.byte(register.demand);
    for (let index = 0; index < levels.length; index += 1) writer.byte(levels[index]!);
    if (!isLong) return;
    writer.number(resets);
    writer.number(windows.length);
    for (const { startedAt, present, before } of windows) {
      writer.number(this.#ageMs(startedAt));
      writer.number(Math.max(present, 0));
      writer.number(Math.max(before, 0));
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
    return Math.min(Math.max(Math.round((this.#now - instant) / 1_000), 0), MAX_AGE_MS);
  }
}

/**
 * Reads a message.
 * @throws MalformedMessage where it is none; by then parts of it may have been taken, each of them right by itself.
 */
export function readMessage(bytes: Uint8Array, sink: MessageSink): void {
  const reader = new ByteReader(bytes);
  sink.head(readHeader(reader));
  const origins = reader.count(MAX_ORIGINS, 10);
  sink.digest(
    Array.from({ length: origins }, () => {
      const instance = readInstance(reader);
      return { instance, version: reader.number(), ageUs: readAge(reader) };
    }),
  );
  const blocks = reader.count(MAX_ORIGINS, 15);
  const policies: string[] = [];
  for (let block = 0; block < blocks; block += 1) readBlock(reader, policies, sink);
  if (reader.left > 0) throw new MalformedMessage("goes on behind its end");
}

/** Whether bytes begin as a message does, of whichever version. */
export function isMessage(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1];
}

/** The version of a message's layout. */
export function versionOf(bytes: Uint8Array): number {
  return bytes[2]!;
}

function readHeader(reader: ByteReader): Header {
  if (reader.byte() !== MAGIC[0] || reader.byte() !== MAGIC[1])
    throw new MalformedMessage("no message");
  if (reader.byte() !== MESSAGE_VERSION) throw new MalformedMessage("of another version");
  const kind = KINDS[reader.byte()];
  if (kind === undefined) throw new MalformedMessage("of an unknown kind");
  const instance = readInstance(reader);
  const address = reader.text();
  const region = reader.text();
  return { kind, instance, address, region, to: reader.text(), askedBy: reader.text() };
}

function readBlock(reader: ByteReader, policies: string[], sink: MessageSink): void {
  const instance = readInstance(reader);
  const hasLeft = reader.byte() === 1;
  const head = { instance, hasLeft, address: reader.text(), region: reader.text() };
  const from = reader.number();
  const isOfUse = sink.begin({ ...head, from });
  let version = from;
  for (let step = reader.number(); step > 0; step = reader.number()) {
    version += step;
    readRegister(reader, version, policies);
    if (isOfUse) sink.register(sent);
  }
  const to = reader.number();
  if (to < version) throw new MalformedMessage("ends before its end");
  sink.end({ to, isAll: reader.byte() === 1, ageUs: readAge(reader) });
}

const NO_WINDOWS: readonly SentWindow[] = [];
const sent: SentRegister = {
  version: 0,
  id: 0,
  limits: 1,
  name: undefined,
  units: 0,
  demand: 0,
  levels: new Uint8Array(1),
  resets: 0,
  windows: NO_WINDOWS,
};

function readRegister(reader: ByteReader, version: number, policies: string[]): void {
  const head = reader.number();
  const flags = head % 4;
  sent.version = version;
  sent.id = Math.floor(head / 32);
  sent.limits = (Math.floor(head / 4) % 8) + 1;
  sent.name = undefined;
  if (flags % 2 === 1) sent.name = { policy: readPolicy(reader, policies), key: reader.text() };
  sent.units = reader.signed();
  sent.demand = reader.byte();
  sent.levels = reader.raw(sent.limits);
  sent.resets = 0;
  sent.windows = NO_WINDOWS;
  if (flags < 2) return;
  sent.resets = reader.number();
  const windows = reader.count(MAX_LIMITS, 3);
  sent.windows = Array.from({ length: windows }, () => {
    return { ageUs: readAge(reader), present: reader.number(), before: reader.number() };
  });
}

function readPolicy(reader: ByteReader, policies: string[]): string {
  const number = reader.number();
  if (number > 0) {
    const known = policies[number - 1];
    if (known === undefined) throw new MalformedMessage("names no policy");
    return known;
  }
  const name = reader.text();
  policies.push(name);
  return name;
}

function readAge(reader: ByteReader): number {
  return 1_000 * Math.min(reader.number(), MAX_AGE_MS);
}

function writeInstance(writer: ByteWriter, instance: string): void {
  for (let at = 0; at < 16; at += 2) writer.byte(Number.parseInt(instance.slice(at, at + 2), 16));
}

function readInstance(reader: ByteReader): string {
  let instance = "";
  for (const byte of reader.raw(8)) instance += byte.toString(16).padStart(2, "0");
  return instance;
}
