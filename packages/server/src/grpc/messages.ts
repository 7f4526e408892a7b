// The messages of tidegate.v1.RateLimiter, to bytes and back, by hand: a decision is decoded and encoded in a fraction
// of a microsecond, where objects made from the schema at run time take several times that, and their library takes
// longer to load than the rest of the service. The proto file is the contract; a property test holds the two equal.

import type { CheckRequest, Decision } from "tidegate";
import { MAX_BATCH } from "../max-batch.ts";
import { WIRE, WireError, WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

/** What came in, or what was wrong with its bytes. A decoder that threw would answer INTERNAL without a word. */
export type Decoded<T> = { readonly value: T } | { readonly wrong: string };

const tag = (field: number, wireType: number) => (field << 3) | wireType;

// CheckLimitRequest and GetStatusRequest
const POLICY_IN = tag(1, WIRE.bytes);
const KEY_IN = tag(2, WIRE.bytes);
const COST_IN = tag(3, WIRE.varint);
// CheckLimitsRequest and CheckLimitsResponse
const ELEMENT = tag(1, WIRE.bytes);
// CheckLimitResponse and GetStatusResponse
const ALLOWED = tag(1, WIRE.varint);
const POLICY = tag(2, WIRE.bytes);
const KEY = tag(3, WIRE.bytes);
const LIMIT_NAME = tag(4, WIRE.bytes);
const LIMIT = tag(5, WIRE.varint);
const REMAINING = tag(6, WIRE.varint);
const RETRY_AFTER_MS = tag(7, WIRE.varint);
const RESET_AFTER_MS = tag(8, WIRE.varint);
const SOURCE = tag(9, WIRE.bytes);
const DELAY_MS = tag(10, WIRE.varint);
const SOFT = tag(11, WIRE.varint);
const NEAR_LIMIT = tag(12, WIRE.varint);
const SHADOW = tag(13, WIRE.varint);

/** Bytes of a response without its strings: 13 tags, four bools, five varints, four lengths, the length of it all. */
const FIXED_BYTES = 96;

const writer = new WireWriter();

/** Reads a CheckLimitRequest or GetStatusRequest. A cost that is absent stays absent. */
export function decodeCheckRequest(bytes: Buffer): Decoded<CheckRequest> {
  return decoded(() => {
    const reader = new WireReader(bytes);
    return readCheckRequest(reader, reader.end, "");
  });
}

/** Reads a CheckLimitsRequest; one of more than 1,000 requests is wrong and not read further. */
export function decodeBatchRequest(bytes: Buffer): Decoded<CheckRequest[]> {
  return decoded(() => {
    const reader = new WireReader(bytes);
    const requests: CheckRequest[] = [];
    let policy = "";
    while (reader.position < reader.end) {
      const field = readTag(reader);
      if (field !== ELEMENT) {
        reader.skip(field & 7);
        continue;
      }
      if (requests.length === MAX_BATCH) {
        throw new WireError(`requests must be at most ${MAX_BATCH}, got more`);
      }
      const request = readElement(reader, policy, requests.length);
      policy = request.policy;
      requests.push(request);
    }
    return requests;
  });
}

/** Writes a CheckLimitResponse or GetStatusResponse. */
export function encodeDecision(decision: Decision): Buffer {
  writer.begin();
  writer.reserve(sizeAtMost(decision));
  writeDecision(decision);
  return writer.finish();
}

/** Writes a CheckLimitsResponse. */
export function encodeDecisions(decisions: readonly Decision[]): Buffer {
  writer.begin();
  for (const decision of decisions) {
    writer.reserve(sizeAtMost(decision));
    const start = writer.startMessage(ELEMENT);
    writeDecision(decision);
    writer.endMessage(start);
  }
  return writer.finish();
}

function decoded<T>(read: () => T): Decoded<T> {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof WireError) return { wrong: error.message };
    throw error;
  }
}

function readTag(reader: WireReader): number {
  const field = reader.uint32();
  if (field >>> 3 === 0) throw new WireError("the message has a field of number 0");
  return field;
}

function readElement(reader: WireReader, policy: string, index: number): CheckRequest {
  const outerEnd = reader.end;
  reader.end = reader.lengthDelimitedEnd();
  try {
    return readCheckRequest(reader, outerEnd, policy);
  } catch (error) {
    if (error instanceof WireError) throw new WireError(`requests[${index}]: ${error.message}`);
    throw error;
  }
}

/** Reads up to the reader's end, and then sets that to `outerEnd`. Of a field that comes twice the last one counts. */
function readCheckRequest(reader: WireReader, outerEnd: number, likelyPolicy: string) {
  let policy = "";
  let key = "";
  let cost: number | undefined;
  while (reader.position < reader.end) {
    const field = readTag(reader);
    if (field === POLICY_IN) policy = reader.string("policy", likelyPolicy);
    else if (field === KEY_IN) key = reader.string("key", "");
    else if (field === COST_IN) cost = reader.uint32();
    else reader.skip(field & 7);
  }
  reader.end = outerEnd;
  return cost === undefined ? { policy, key } : { policy, key, cost };
}

function sizeAtMost(decision: Decision): number {
  const units = decision.policy.length + decision.key.length + decision.limitName.length;
  return FIXED_BYTES + 3 * (units + decision.source.length);
}

function writeDecision(decision: Decision): void {
  writer.bool(ALLOWED, decision.allowed);
  writer.string(POLICY, decision.policy);
  writer.string(KEY, decision.key);
  writer.string(LIMIT_NAME, decision.limitName);
  writer.int64(LIMIT, decision.limit);
  writer.int64(REMAINING, decision.remaining);
  if (decision.retryAfterMs !== null) writer.presentInt64(RETRY_AFTER_MS, decision.retryAfterMs);
  writer.int64(RESET_AFTER_MS, decision.resetAfterMs);
  writer.string(SOURCE, decision.source);
  writer.int64(DELAY_MS, decision.delayMs);
  writer.bool(SOFT, decision.soft);
  writer.bool(NEAR_LIMIT, decision.nearLimit);
  writer.bool(SHADOW, decision.shadow);
}
