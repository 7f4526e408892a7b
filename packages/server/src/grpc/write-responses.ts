// The responses of tidegate.v1.RateLimiter, to bytes, by hand, as read-requests.ts reads the requests. The proto file
// is the contract; a property test holds the two equal.

import type { Decision, Permit, Reservation, Settlement } from "tidegate";
import { tag, WIRE } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

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
// All other responses that have a decision, or several
const DECISION = tag(1, WIRE.bytes);
// ReserveResponse and AcquireResponse
const ID = tag(2, WIRE.bytes);
const COST = tag(3, WIRE.varint);
const HELD_MS = tag(4, WIRE.varint);
// SettleResponse
const SETTLED = tag(2, WIRE.varint);
// ReleaseResponse and ExtendResponse
const DONE = tag(1, WIRE.varint);

/**
 * Bytes of a response without its strings: for a decision 13 tags, four bools, five numbers of at most eight bytes,
 * four lengths, and its own length; for what may follow it three tags, two numbers and a length.
 */
const FIXED_BYTES = 128;

const writer = new WireWriter();

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
  for (const decision of decisions) writeDecisionField(decision, 0);
  return writer.finish();
}

/** Writes a CheckEveryResponse or RefundResponse. */
export function encodeOnlyDecision(decision: Decision): Buffer {
  writer.begin();
  writeDecisionField(decision, 0);
  return writer.finish();
}

/** Writes a ReserveResponse. */
export function encodeReservation(reservation: Reservation): Buffer {
  return encodeHeld(reservation, reservation.ttlMs);
}

/** Writes an AcquireResponse. */
export function encodePermit(permit: Permit): Buffer {
  return encodeHeld(permit, permit.leaseMs);
}

/** Writes a SettleResponse. */
export function encodeSettlement(settlement: Settlement): Buffer {
  writer.begin();
  writeDecisionField(settlement, 0);
  writer.bool(SETTLED, settlement.settled);
  return writer.finish();
}

/** Writes a ReleaseResponse or ExtendResponse. */
export function encodeDone(done: boolean): Buffer {
  writer.begin();
  writer.bool(DONE, done);
  return writer.finish();
}

/** What was denied holds nothing, so there is nothing that an id could name. */
function encodeHeld(held: Permit | Reservation, heldMs: number): Buffer {
  writer.begin();
  writeDecisionField(held, held.id.length);
  if (held.allowed) {
    writer.string(ID, held.id);
    writer.int64(COST, held.cost);
    writer.int64(HELD_MS, heldMs);
  }
  return writer.finish();
}

/** @param moreUnits UTF-16 code units of the strings that come after it. */
function writeDecisionField(decision: Decision, moreUnits: number): void {
  writer.reserve(sizeAtMost(decision) + 3 * moreUnits);
  const start = writer.startMessage(DECISION);
  writeDecision(decision);
  writer.endMessage(start);
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
