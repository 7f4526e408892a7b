// The requests of tidegate.v1.RateLimiter, from bytes, by hand: one is decoded in a fraction of a microsecond, where
// objects made from the schema at run time take several times that, and their library takes longer to load than the
// rest of the service. The proto file is the contract; a property test holds the two equal.

import type { CheckRequest, Held, ReserveRequest } from "tidegate";
import { MAX_BATCH, MAX_EVERY } from "../max-batch.ts";
import { tag, WIRE, WireError, WireReader } from "./wire-reader.ts";

/** What came in, or what was wrong with its bytes. A decoder that threw would answer INTERNAL without a word. */
export type Decoded<T> = { readonly value: T } | { readonly wrong: string };

/** Several requests that are decided as one. */
export interface EveryRequest {
  readonly requests: readonly CheckRequest[];
  readonly id: string | undefined;
}

/** A reservation, and what it really cost. */
export interface SettleRequest {
  readonly held: Held;
  readonly actual: number;
}

// A field has the same number in every request that has it.
const POLICY = tag(1, WIRE.bytes);
const KEY = tag(2, WIRE.bytes);
const COST = tag(3, WIRE.varint);
const ID = tag(4, WIRE.bytes);
const TTL_MS = tag(5, WIRE.varint);
const ACTUAL = tag(6, WIRE.varint);
// CheckLimitsRequest and CheckEveryRequest
const ELEMENT = tag(1, WIRE.bytes);
const EVERY_ID = tag(2, WIRE.bytes);

/** All that a request may hold. What is absent stays absent, but for `policy` and `key`, which are empty. */
interface Fields {
  policy: string;
  key: string;
  cost: number | undefined;
  id: string | undefined;
  ttlMs: number | undefined;
  actual: number | undefined;
}

/** Reads a CheckLimitRequest, RefundRequest or AcquireRequest. */
export function decodeCheckRequest(bytes: Buffer): Decoded<CheckRequest> {
  return decoded(bytes, (reader) => checkOf(readFields(reader, reader.end, "")));
}

/** Reads a GetStatusRequest, which has no id: nothing is taken that could be taken twice. */
export function decodeStatusRequest(bytes: Buffer): Decoded<CheckRequest> {
  return decoded(bytes, (reader) => {
    return checkOf({ ...readFields(reader, reader.end, ""), id: undefined });
  });
}

/** Reads a ReserveRequest. */
export function decodeReserveRequest(bytes: Buffer): Decoded<ReserveRequest> {
  return decoded(bytes, (reader) => {
    const fields = readFields(reader, reader.end, "");
    const request = checkOf(fields);
    return fields.ttlMs === undefined ? request : { ...request, ttl: fields.ttlMs };
  });
}

/** Reads a SettleRequest. One without `actual` is wrong: taken for 0 it would give all of the estimate back. */
export function decodeSettleRequest(bytes: Buffer): Decoded<SettleRequest> {
  return decoded(bytes, (reader) => {
    const fields = readFields(reader, reader.end, "");
    const { actual } = fields;
    if (actual === undefined) {
      throw new WireError("actual must be the units that were really used, got nothing");
    }
    return { held: heldOf(fields), actual };
  });
}

/** Reads a ReleaseRequest or ExtendRequest. */
export function decodeHeldRequest(bytes: Buffer): Decoded<Held> {
  return decoded(bytes, (reader) => heldOf(readFields(reader, reader.end, "")));
}

/** Reads a CheckLimitsRequest; one of more than 1,000 requests is wrong and not read further. */
export function decodeBatchRequest(bytes: Buffer): Decoded<CheckRequest[]> {
  return decoded(bytes, (reader) => {
    const requests: CheckRequest[] = [];
    readElements(reader, requests, MAX_BATCH, (field) => reader.skip(field & 7));
    return requests;
  });
}

/** Reads a CheckEveryRequest; one of more than 64 requests is wrong and not read further. */
export function decodeEveryRequest(bytes: Buffer): Decoded<EveryRequest> {
  return decoded(bytes, (reader) => {
    const requests: CheckRequest[] = [];
    let id: string | undefined;
    readElements(reader, requests, MAX_EVERY, (field) => {
      if (field === EVERY_ID) id = reader.string("id", "");
      else reader.skip(field & 7);
    });
    return { requests, id };
  });
}

function decoded<T>(bytes: Buffer, read: (reader: WireReader) => T): Decoded<T> {
  try {
    return { value: read(new WireReader(bytes)) };
  } catch (error) {
    if (error instanceof WireError) return { wrong: error.message };
    throw error;
  }
}

/** Reads to the end; `readOther` reads the fields that are no requests. */
function readElements(
  reader: WireReader,
  requests: CheckRequest[],
  most: number,
  readOther: (field: number) => void,
): void {
  let policy = "";
  while (reader.position < reader.end) {
    const field = readTag(reader);
    if (field !== ELEMENT) {
      readOther(field);
      continue;
    }
    if (requests.length === most) throw new WireError(`requests must be at most ${most}, got more`);
    const fields = readElement(reader, policy, requests.length);
    policy = fields.policy;
    requests.push(checkOf(fields));
  }
}

function readElement(reader: WireReader, policy: string, index: number): Fields {
  const outerEnd = reader.end;
  reader.end = reader.lengthDelimitedEnd();
  try {
    return readFields(reader, outerEnd, policy);
  } catch (error) {
    if (error instanceof WireError) throw new WireError(`requests[${index}]: ${error.message}`);
    throw error;
  }
}

/** Reads up to the reader's end, and then sets that to `outerEnd`. Of a field that comes twice the last one counts. */
function readFields(reader: WireReader, outerEnd: number, likelyPolicy: string): Fields {
  const fields: Fields = {
    policy: "",
    key: "",
    cost: undefined,
    id: undefined,
    ttlMs: undefined,
    actual: undefined,
  };
  while (reader.position < reader.end) {
    const field = readTag(reader);
    if (field === POLICY) fields.policy = reader.string("policy", likelyPolicy);
    else if (field === KEY) fields.key = reader.string("key", "");
    else if (field === COST) fields.cost = reader.uint32();
    else if (field === ID) fields.id = reader.string("id", "");
    else if (field === TTL_MS) fields.ttlMs = reader.int64();
    else if (field === ACTUAL) fields.actual = reader.uint32();
    else reader.skip(field & 7);
  }
  reader.end = outerEnd;
  return fields;
}

function readTag(reader: WireReader): number {
  const field = reader.uint32();
  if (field >>> 3 === 0) throw new WireError("the message has a field of number 0");
  return field;
}

/** Returns the request as the limiter takes it; a policy that is empty is not named. */
function checkOf({ policy, key, cost, id }: Fields): CheckRequest {
  if (policy !== "" && id === undefined) {
    return cost === undefined ? { policy, key } : { policy, key, cost };
  }
  return {
    ...(policy === "" ? {} : { policy }),
    key,
    ...(cost === undefined ? {} : { cost }),
    ...(id === undefined ? {} : { id }),
  };
}

/** Returns what names a reservation or permit. An id that is absent is empty, which is none. */
function heldOf({ policy, key, id = "" }: Fields): Held {
  return policy === "" ? { key, id } : { policy, key, id };
}
