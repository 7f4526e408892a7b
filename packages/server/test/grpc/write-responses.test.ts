import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision } from "tidegate";
import {
  encodeDecision,
  encodeDecisions,
  encodeDone,
  encodeOnlyDecision,
  encodePermit,
  encodeReservation,
  encodeSettlement,
} from "../../src/grpc/write-responses.ts";
import { decisionWith } from "../service-support.ts";
import { decode, text } from "./proto-oracle.ts";

const count = fc.oneof(
  fc.nat({ max: 300 }),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 53 - 1),
);
const decision: fc.Arbitrary<Decision> = fc.record(
  {
    allowed: fc.boolean(),
    policy: text(70),
    key: text(1_100),
    limitName: text(70),
    limit: count,
    remaining: count,
    retryAfterMs: fc.option(count),
    resetAfterMs: count,
    delayMs: count,
    soft: fc.boolean(),
    nearLimit: fc.boolean(),
    shadow: fc.boolean(),
    source: fc.constantFrom("local" as const, "store" as const),
  },
  { noNullPrototype: true },
);
const held = fc.record({ id: text(130), cost: fc.nat({ max: 1_000_000_000 }), ms: count });

/** What the proto file says of a decision. */
function onTheWire(given: Decision): object {
  const { limitName, retryAfterMs, resetAfterMs, delayMs, nearLimit, ...same } = given;
  const message = {
    ...same,
    limit_name: limitName,
    reset_after_ms: resetAfterMs,
    delay_ms: delayMs,
    near_limit: nearLimit,
  };
  return retryAfterMs === null ? message : { ...message, retry_after_ms: retryAfterMs };
}

/** Reads a response, its decision as a plain object. */
function read(name: string, bytes: Buffer): object {
  const message = decode(name, bytes);
  return { ...message, decision: { ...(message.decision as object) } };
}

test("a decision is written as protobufjs reads it", () => {
  fc.assert(
    fc.property(decision, (given) => {
      const bytes = encodeDecision(given);
      for (const name of ["CheckLimitResponse", "GetStatusResponse"]) {
        assert.deepEqual({ ...decode(name, bytes) }, onTheWire(given));
      }
      for (const name of ["CheckEveryResponse", "RefundResponse"]) {
        const expected = { decision: onTheWire(given) };
        assert.deepEqual(read(name, encodeOnlyDecision(given)), expected);
      }
    }),
    { numRuns: 500 },
  );
});

test("decisions are written as protobufjs reads them, and a message does not keep the last one's bytes", () => {
  fc.assert(
    fc.property(fc.array(decision, { maxLength: 20 }), decision, (given, next) => {
      const bytes = encodeDecisions(given);
      const before = Buffer.from(bytes);
      encodeDecision(next);
      assert.deepEqual(bytes, before);
      const { decisions } = decode("CheckLimitsResponse", bytes) as { decisions: object[] };
      assert.deepEqual(
        decisions.map((one) => ({ ...one })),
        given.map(onTheWire),
      );
    }),
    { numRuns: 200 },
  );
});

test("a reservation and a permit are written as protobufjs reads them; denied, they name nothing", () => {
  fc.assert(
    fc.property(decision, held, (given, { id, cost, ms }) => {
      const named = given.allowed ? { id, cost } : { id: "", cost: 0 };
      const heldMs = given.allowed ? ms : 0;
      const expected = { decision: onTheWire(given), ...named };
      const reservation = encodeReservation({ ...given, id, cost, ttlMs: ms });
      assert.deepEqual(read("ReserveResponse", reservation), { ...expected, ttl_ms: heldMs });
      const permit = encodePermit({ ...given, id, cost, leaseMs: ms });
      assert.deepEqual(read("AcquireResponse", permit), { ...expected, lease_ms: heldMs });
    }),
    { numRuns: 500 },
  );
});

test("a settlement, a release and an extension are written as protobufjs reads them", () => {
  fc.assert(
    fc.property(decision, fc.boolean(), (given, done) => {
      const expected = { decision: onTheWire(given), settled: done };
      assert.deepEqual(
        read("SettleResponse", encodeSettlement({ ...given, settled: done })),
        expected,
      );
      assert.deepEqual({ ...decode("ReleaseResponse", encodeDone(done)) }, { released: done });
      assert.deepEqual({ ...decode("ExtendResponse", encodeDone(done)) }, { extended: done });
    }),
  );
});

const MOST = 2 ** 53 - 1;
const LARGEST = decisionWith({
  policy: "p".repeat(64),
  key: "\u{ffff}".repeat(1_024),
  limitName: "l".repeat(64),
  ...{ limit: MOST, remaining: MOST, retryAfterMs: MOST, resetAfterMs: MOST, delayMs: MOST },
  ...{ soft: true, nearLimit: true, shadow: true },
});

test("a batch of 1,000 with the longest keys is written whole", () => {
  const bytes = encodeDecisions(Array.from({ length: 1_000 }, () => LARGEST));
  const { decisions } = decode("CheckLimitsResponse", bytes) as { decisions: object[] };
  assert.equal(decisions.length, 1_000);
  assert.deepEqual({ ...decisions[999] }, onTheWire(LARGEST));
});

test("the longest of everything has room after any message", () => {
  const id = "\u{ffff}".repeat(128);
  const expected = { decision: onTheWire(LARGEST), id, cost: 1_000_000_000, ttl_ms: MOST };
  for (let times = 0; times < 20; times += 1) {
    const bytes = encodeReservation({ ...LARGEST, id, cost: 1_000_000_000, ttlMs: MOST });
    assert.deepEqual(read("ReserveResponse", bytes), expected);
  }
});
