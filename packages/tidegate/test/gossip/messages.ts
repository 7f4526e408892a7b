// Messages as nodes write them, and what is read of them, as plain values.

import { ByteWriter } from "../../src/gossip/bytes.ts";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import {
  type BlockEnd,
  type BlockHead,
  type DigestEntry,
  type Header,
  MessageWriter,
  type SentRegister,
} from "../../src/gossip/message.ts";
import { Origin, type OriginRegister } from "../../src/gossip/origin.ts";
import { readMessage } from "../../src/gossip/read-message.ts";

/** A header, but for what is given. */
export function headerOf(fields: Partial<Header> = {}): Header {
  return {
    kind: "syn",
    instance: "00000000000000ab",
    address: "node-1:9000",
    region: "eu",
    to: "node-2:9000",
    askedBy: "",
    hasJoined: true,
    isSated: false,
    mark: 12_345,
    echo: 0,
    ...fields,
  };
}

/** What was read of a block. */
export interface ReadBlock {
  readonly head: BlockHead;
  readonly registers: SentRegister[];
  end: BlockEnd | undefined;
}

/** What was read of a message. */
export interface ReadMessage {
  header: Header | undefined;
  digest: readonly DigestEntry[];
  readonly blocks: ReadBlock[];
  isMore: boolean | undefined;
}

/** Reads a whole message. */
export function readWhole(bytes: Uint8Array): ReadMessage {
  const read: ReadMessage = { header: undefined, digest: [], blocks: [], isMore: undefined };
  readMessage(bytes, {
    head: (header) => {
      read.header = header;
    },
    digest: (entries) => {
      read.digest = entries;
    },
    begin: (head) => {
      read.blocks.push({ head, registers: [], end: undefined });
      return true;
    },
    register: (one) => {
      read.blocks.at(-1)!.registers.push({ ...one, levels: one.levels.slice() });
    },
    end: (end) => {
      read.blocks.at(-1)!.end = end;
    },
    done: (isMore) => {
      read.isMore = isMore;
    },
  });
  return read;
}

/** What a test says of a register. */
export type RegisterFields = Partial<
  Pick<OriginRegister, "units" | "demand" | "resets" | "windows">
> & { readonly levels?: Uint8Array };

/** Has a register say so. */
export function setFields(register: OriginRegister, fields: RegisterFields): void {
  const { levels, ...rest } = fields;
  Object.assign(register, rest);
  levels?.forEach((level, limit) => void register.setLevel(limit, level));
}

/** Writes a register as a node does that says something of a key. */
export function say(
  origin: Origin,
  key: CountedKey | { readonly policy: string; readonly name: string },
  fields: RegisterFields = {},
  now = 0,
): OriginRegister {
  const counted = key instanceof CountedKey ? key : new CountedKey(key.policy, key.name);
  const { levels = new Uint8Array(1), ...rest } = fields;
  origin.version += 1;
  const register = origin.create(origin.size + 1, counted, origin.version, levels.length);
  setFields(register, { ...rest, levels });
  origin.wrote(register, origin.version, now);
  return register;
}

/** Writes again of a key. */
export function sayAgain(
  register: OriginRegister,
  fields: Partial<Pick<OriginRegister, "units" | "demand" | "resets" | "windows">>,
  now = 0,
): void {
  const { origin } = register;
  Object.assign(register, fields);
  origin.version += 1;
  origin.wrote(register, origin.version, now);
}

/** Creates an origin of an address. */
export function originOf(instance: string, address = `at-${instance}`, region = ""): Origin {
  const origin = new Origin(instance);
  origin.address = address;
  origin.region = region;
  origin.version = 1;
  origin.asOf = 0;
  return origin;
}

/** Writes a message of blocks alone: what each origin said after a version. */
export function messageOf(
  blocks: readonly (readonly [Origin, number])[],
  now = 0,
  header = headerOf({ kind: "push" }),
  maxBytes = 1_000_000,
): Uint8Array {
  const writer = new MessageWriter(new ByteWriter(), header, now, maxBytes);
  writer.digest([]);
  for (const [origin, from] of blocks) writer.block(origin, from, () => true);
  writer.end(false);
  return writer.bytes.slice();
}
