import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision } from "tidegate";
import {
  decodeBatchRequest,
  decodeCheckRequest,
  encodeDecision,
  encodeDecisions,
} from "../../src/grpc/messages.ts";
import { decisionWith, PROTO_FILE, protobuf } from "../service-support.ts";

const root = new protobuf.Root().loadSync(PROTO_FILE, { keepCase: true });
const type = (name: string) => root.lookupType(`tidegate.v1.${name}`);
const encode = (name: string, message: object) => {
  return Buffer.from(type(name).encode(message).finish());
};
const decode = (name: string, bytes: Buffer) => {
  return type(name).toObject(type(name).decode(bytes), { longs: Number, defaults: true });
};

const text = (maxLength: number) => {
  return fc.oneof(
    fc.string({ maxLength, unit: "binary" }),
    fc.string({ maxLength, unit: "grapheme-ascii" }),
  );
};
const request = fc.record(
  { policy: text(70), key: text(1_100), cost: fc.nat({ max: 0xffff_ffff }) },
  { requiredKeys: ["policy", "key"], noNullPrototype: true },
);
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

test("a request is read as protobufjs wrote it", () => {
  fc.assert(
    fc.property(request, (given) => {
      for (const name of ["CheckLimitRequest", "GetStatusRequest"]) {
        assert.deepEqual(decodeCheckRequest(encode(name, given)), { value: given });
      }
    }),
    { numRuns: 500 },
  );
});

test("a batch is read as protobufjs wrote it", () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
      const bytes = encode("CheckLimitsRequest", { requests });
      assert.deepEqual(decodeBatchRequest(bytes), { value: requests });
    }),
    { numRuns: 300 },
  );
});

test("a decision is written as protobufjs reads it", () => {
  fc.assert(
    fc.property(decision, (given) => {
      const bytes = encodeDecision(given);
      const oracle = onTheWire(given);
      for (const name of ["CheckLimitResponse", "GetStatusResponse"]) {
        const read = decode(name, bytes);
        assert.deepEqual({ ...read }, oracle);
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
        decisions.map((read) => ({ ...read })),
        given.map(onTheWire),
      );
    }),
    { numRuns: 200 },
  );
});

test("a batch of 1,000 with the longest keys is written whole", () => {
  const most = 2 ** 53 - 1;
  const given = decisionWith({
    policy: "p".repeat(64),
    key: "\u{ffff}".repeat(1_024),
    limitName: "l".repeat(64),
    ...{ limit: most, remaining: most, retryAfterMs: most, resetAfterMs: most, delayMs: most },
    ...{ soft: true, nearLimit: true, shadow: true },
  });
  const bytes = encodeDecisions(Array.from({ length: 1_000 }, () => given));
  const { decisions } = decode("CheckLimitsResponse", bytes) as { decisions: object[] };
  assert.equal(decisions.length, 1_000);
  assert.deepEqual({ ...decisions[999] }, onTheWire(given));
});

test("fields that are not known are skipped, whatever their type", () => {
  const known = encode("CheckLimitRequest", { policy: "api", key: "a", cost: 3 });
  const unknown = [
    ["varint", [0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["64 bits", [0x29, 1, 2, 3, 4, 5, 6, 7, 8]],
    ["bytes", [0x32, 2, 0xff, 0xfe]],
    ["a group in a group", [0x3b, 0x43, 0x08, 1, 0x44, 0x3c]],
    ["32 bits", [0x45, 1, 2, 3, 4]],
    ["a cost of another type", [0x1d, 1, 2, 3, 4]],
  ] as const;
  for (const [what, bytes] of unknown) {
    const value = { policy: "api", key: "a", cost: 3 };
    assert.deepEqual(decodeCheckRequest(Buffer.from([...bytes, ...known])), { value }, what);
    assert.deepEqual(decodeCheckRequest(Buffer.from([...known, ...bytes])), { value }, what);
  }
});

test("of a field that comes twice the last one counts, as protobuf says", () => {
  const first = encode("CheckLimitRequest", { policy: "api", key: "a", cost: 1 });
  const second = encode("CheckLimitRequest", { key: "b", cost: 2 });
  const value = { policy: "api", key: "b", cost: 2 };
  assert.deepEqual(decodeCheckRequest(Buffer.concat([first, second])), { value });
});

test("bytes that are not a message are answered, never thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const read of [decodeCheckRequest, decodeBatchRequest]) {
        const answer = read(Buffer.from(bytes));
        assert.ok("value" in answer || answer.wrong.length > 0);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a message cut off anywhere is read as protobufjs would, or refused", () => {
  const message = { requests: [{ policy: "api", key: "user:42", cost: 300 }, { key: "é€😀" }] };
  const bytes = encode("CheckLimitsRequest", message);
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 1) {
    const answer = decodeBatchRequest(bytes.subarray(0, length));
    let oracle: unknown;
    try {
      oracle = type("CheckLimitsRequest").decode(bytes.subarray(0, length));
    } catch {
      oracle = undefined;
    }
    assert.equal("value" in answer, oracle !== undefined, `cut at ${length}`);
    if ("wrong" in answer) refused += 1;
  }
  assert.ok(refused > 20);
});

const WRONG: readonly (readonly [string, readonly number[], RegExp])[] = [
  ["a key that is not UTF-8", [0x12, 2, 0xc3, 0x28], /^key must be a string in UTF-8$/],
  ["a policy that is not UTF-8", [0x0a, 1, 0xff], /^policy must be a string in UTF-8$/],
  ["a field of number 0", [0x00, 1], /field of number 0/],
  ["a wire type that does not exist", [0x27], /wire type 7/],
  ["the end of a group that was not begun", [0x24], /wire type 4/],
  ["a number of eleven bytes", [0x18, ...Array(11).fill(0xff)], /more than ten bytes/],
  ["groups without end", Array(100).fill(0x23), /wire type 3/],
];

test("what is wrong is said", () => {
  for (const [what, bytes, message] of WRONG) {
    const answer = decodeCheckRequest(Buffer.from(bytes));
    assert.match("wrong" in answer ? answer.wrong : "nothing", message, what);
  }
  const inBatch = decodeBatchRequest(Buffer.from([0x0a, 0, 0x0a, 3, 0x12, 1, 0xff]));
  assert.deepEqual(inBatch, { wrong: "requests[1]: key must be a string in UTF-8" });
});

test("a batch of 1,000 is read, one of 1,001 is refused", () => {
  const requests = Array.from({ length: 1_000 }, (_, index) => ({
    policy: "api",
    key: `${index}`,
  }));
  const bytes = encode("CheckLimitsRequest", { requests });
  const answer = decodeBatchRequest(bytes);
  assert.equal("value" in answer && answer.value.length, 1_000);
  const more = Buffer.concat([bytes, Buffer.from([0x0a, 0])]);
  assert.deepEqual(decodeBatchRequest(more), {
    wrong: "requests must be at most 1000, got more",
  });
});
