// Reads the messages of the gossip, whose layout is in message.ts. They come from strangers: nothing is believed to be
// there, to be right, or to be of a size that memory has room for.

import { MAX_KEY_LENGTH } from "../policy/request.ts";
import { ByteReader, MalformedMessage } from "./bytes.ts";
import {
  type Header,
  KINDS,
  MAGIC,
  MAX_ADDRESS,
  MAX_AGE_MS,
  MAX_READ_VERSION,
  MAX_REGION,
  MAX_TOLD_UNITS,
  MESSAGE_VERSION,
  type MessageSink,
  type SentName,
  type SentRegister,
  type SentWindow,
} from "./message.ts";

/** More origins than this are no cluster. */
const MAX_ORIGINS = 10_000;
const MAX_LIMITS = 8;
const MAX_POLICY = 64;

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
      return { instance, version: readVersion(reader), ageUs: readAge(reader) };
    }),
  );
  const policies: string[] = [];
  let next = reader.byte();
  for (; next === 1; next = reader.byte()) readBlock(reader, policies, sink);
  if (next !== 0 && next !== 2) throw new MalformedMessage("has no end");
  if (reader.left > 0) throw new MalformedMessage("goes on behind its end");
  sink.done(next === 2);
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
  const flags = reader.byte();
  const hasJoined = (flags & 1) !== 0;
  const isSated = (flags & 2) !== 0;
  const instance = readInstance(reader);
  const address = reader.text(MAX_ADDRESS);
  const region = reader.text(MAX_REGION);
  const to = reader.text(MAX_ADDRESS);
  const askedBy = reader.text(MAX_ADDRESS);
  const mark = reader.number();
  const echo = reader.number();
  return { kind, hasJoined, isSated, instance, address, region, to, askedBy, mark, echo };
}

function readBlock(reader: ByteReader, policies: string[], sink: MessageSink): void {
  const instance = readInstance(reader);
  const hasLeft = reader.byte() === 1;
  const address = reader.text(MAX_ADDRESS);
  const region = reader.text(MAX_REGION);
  const from = readVersion(reader);
  const isOfUse = sink.begin({ instance, hasLeft, address, region, from });
  let version = from;
  for (let step = reader.number(); step > 0; step = reader.number()) {
    version += step;
    if (version > MAX_READ_VERSION) throw new MalformedMessage("a version is too large");
    readRegister(reader, version, policies);
    if (isOfUse) sink.register(sent);
  }
  const to = readVersion(reader);
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
/** By number of limits, so that none is made for each register. */
const LEVELS = Array.from({ length: MAX_LIMITS }, (_, index) => new Uint8Array(index + 1));

function readRegister(reader: ByteReader, version: number, policies: string[]): void {
  const head = reader.number();
  const flags = head % 4;
  sent.version = version;
  sent.id = Math.floor(head / 32);
  sent.limits = (Math.floor(head / 4) % 8) + 1;
  sent.name = undefined;
  if (flags % 2 === 1) sent.name = readName(reader, policies);
  sent.units = readUnits(reader);
  sent.demand = reader.byte();
  sent.levels = LEVELS[sent.limits - 1]!;
  for (let index = 0; index < sent.limits; index += 1) sent.levels[index] = reader.byte();
  sent.resets = 0;
  sent.windows = NO_WINDOWS;
  if (flags < 2) return;
  sent.resets = reader.number();
  const windows = reader.count(MAX_LIMITS, 3);
  sent.windows = Array.from({ length: windows }, () => {
    return { ageUs: readAge(reader), present: reader.number(), before: reader.number() };
  });
}

function readName(reader: ByteReader, policies: string[]): SentName {
  const policy = readPolicy(reader, policies);
  const key = reader.text(MAX_KEY_LENGTH);
  return { policy, key, base: readUnits(reader), ageUs: readAge(reader) };
}

function readPolicy(reader: ByteReader, policies: string[]): string {
  const number = reader.number();
  if (number > 0) {
    const known = policies[number - 1];
    if (known === undefined) throw new MalformedMessage("names no policy");
    return known;
  }
  const name = reader.text(MAX_POLICY);
  policies.push(name);
  return name;
}

function readUnits(reader: ByteReader): number {
  const units = reader.signed();
  if (Math.abs(units) > MAX_TOLD_UNITS) throw new MalformedMessage("too many units");
  return units;
}

function readVersion(reader: ByteReader): number {
  const version = reader.number();
  if (version > MAX_READ_VERSION) throw new MalformedMessage("a version is too large");
  return version;
}

function readAge(reader: ByteReader): number {
  return 1_000 * Math.min(reader.number(), MAX_AGE_MS);
}

function readInstance(reader: ByteReader): string {
  let instance = "";
  for (const byte of reader.raw(8)) instance += byte.toString(16).padStart(2, "0");
  return instance;
}
