import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Decoded,
  decodeBatchRequest,
  decodeCheckRequest,
  decodeEveryRequest,
  decodeHeldRequest,
  decodeReserveRequest,
  decodeSettleRequest,
  decodeStatusRequest,
} from "../../src/grpc/read-requests.ts";
import { decode, decodeCanonical, encode, isMessage, text } from "./proto-oracle.ts";

const uint32 = fc.nat({ max: 0xffff_ffff });
const int64 = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 1, 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 62, -(2 ** 63)),
);
const check = fc.record(
  { policy: text(70), key: text(1_100), cost: uint32, id: text(130) },
  { requiredKeys: ["policy", "key"], noNullPrototype: true },
);
const reserve = fc.record(
  { policy: text(70), key: text(1_100), cost: uint32, id: text(130), ttl_ms: int64 },
  { requiredKeys: ["policy", "key"], noNullPrototype: true },
);
const held = fc.record({ policy: text(70), key: text(1_100), id: text(130) });
const settle = fc.record({ policy: text(70), key: text(1_100), id: text(130), actual: uint32 });

type Message = Readonly<Record<string, unknown>>;

interface Codec {
  readonly messages: readonly string[];
  readonly decode: (bytes: Buffer) => Decoded<unknown>;
  readonly given: fc.Arbitrary<Message>;
  /** What the limiter is to be given for a message, of which nothing or all may be there. */
  readonly expected: (message: Message) => unknown;
}

/** A policy that is empty is not named; a key that is absent is empty. */
function asked({ policy, key = "", ...rest }: Message): Message {
  return policy === undefined || policy === "" ? { key, ...rest } : { policy, key, ...rest };
}

const askedAll = (requests: unknown = []) => (requests as Message[]).map(asked);

const CODECS: readonly Codec[] = [
  {
    messages: ["CheckLimitRequest", "RefundRequest", "AcquireRequest"],
    decode: decodeCheckRequest,
    given: check,
    expected: asked,
  },
  {
    messages: ["GetStatusRequest"],
    decode: decodeStatusRequest,
    given: check.map(({ id: _, ...message }) => message),
    expected: asked,
  },
  {
    messages: ["ReserveRequest"],
    decode: decodeReserveRequest,
    given: reserve,
    expected({ ttl_ms, ...message }) {
      return ttl_ms === undefined ? asked(message) : { ...asked(message), ttl: ttl_ms };
    },
  },
  {
    messages: ["ReleaseRequest", "ExtendRequest"],
    decode: decodeHeldRequest,
    given: held,
    expected: (message) => asked({ id: "", ...message }),
  },
  {
    messages: ["SettleRequest"],
    decode: decodeSettleRequest,
    given: settle,
    expected: ({ actual, ...message }) => ({ held: asked({ id: "", ...message }), actual }),
  },
  {
    messages: ["CheckLimitsRequest"],
    decode: decodeBatchRequest,
    given: fc.record({ requests: fc.array(check, { maxLength: 20 }) }),
    expected: ({ requests }) => askedAll(requests),
  },
  {
    messages: ["CheckEveryRequest"],
    decode: decodeEveryRequest,
    given: fc.record(
      { requests: fc.array(check, { maxLength: 20 }), id: text(130) },
      { requiredKeys: ["requests"], noNullPrototype: true },
    ),
    expected: ({ requests, id }) => ({ requests: askedAll(requests), id }),
  },
];

for (const codec of CODECS) {
  const { messages, given, expected } = codec;

  test(`${messages.join(", ")}: read as protobufjs wrote it`, () => {
    fc.assert(
      fc.property(given, (message) => {
        for (const name of messages) {
          assert.deepEqual(codec.decode(encode(name, message)), { value: expected(message) });
        }
      }),
      { numRuns: 400 },
    );
  });

  test(`${messages.join(", ")}: changed bytes are answered, and read where they are a message`, () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom("set", "cut", "more"));
    let messagesRead = 0;
    fc.assert(
      fc.property(given, fc.array(change, { minLength: 1, maxLength: 3 }), (message, changes) => {
        for (const name of messages) {
          const bytes = changes.reduce(mutate, encode(name, message));
          const answer = codec.decode(bytes);
          if ("wrong" in answer) assert.ok(answer.wrong.length > 0);
          const oracle = decodeCanonical(name, bytes);
          if (oracle === undefined) continue;
          if (name === "SettleRequest" && oracle.actual === undefined) continue;
          messagesRead += 1;
          assert.deepEqual(answer, { value: expected(oracle) });
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(messagesRead > 20, `only ${messagesRead} were messages`);
  });
}

function mutate(bytes: Buffer, [where, value, how]: readonly [number, number, string]): Buffer {
  const at = bytes.length === 0 ? 0 : where % bytes.length;
  if (how === "cut") return bytes.subarray(0, at);
  if (how === "more")
    return Buffer.concat([bytes.subarray(0, at), Buffer.from([value]), bytes.subarray(at)]);
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[at] = value;
  return copy;
}

test("bytes that are not a message are answered, never thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const codec of CODECS) {
        const answer = codec.decode(Buffer.from(bytes));
        assert.ok("value" in answer || answer.wrong.length > 0);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a policy that is empty or absent is not named", () => {
  for (const message of [{ key: "a" }, { policy: "", key: "a" }]) {
    assert.deepEqual(decodeCheckRequest(encode("CheckLimitRequest", message)), {
      value: { key: "a" },
    });
    assert.deepEqual(decodeReserveRequest(encode("ReserveRequest", { ...message, ttl_ms: 5 })), {
      value: { key: "a", ttl: 5 },
    });
    assert.deepEqual(decodeHeldRequest(encode("ReleaseRequest", { ...message, id: "i" })), {
      value: { key: "a", id: "i" },
    });
  }
  const requests = [
    { policy: "api", key: "a" },
    { key: "b", cost: 0 },
    { key: "c", id: "" },
  ];
  assert.deepEqual(decodeBatchRequest(encode("CheckLimitsRequest", { requests })), {
    value: requests,
  });
});

test("a settlement must say what was really used, be it nothing", () => {
  const reservation = { policy: "api", key: "a", id: "i" };
  assert.deepEqual(decodeSettleRequest(encode("SettleRequest", reservation)), {
    wrong: "actual must be the units that were really used, got nothing",
  });
  assert.deepEqual(decodeSettleRequest(encode("SettleRequest", { ...reservation, actual: 0 })), {
    value: { held: reservation, actual: 0 },
  });
});

test("a status has no id, and skips that of a check", () => {
  const bytes = encode("CheckLimitRequest", { policy: "api", key: "a", cost: 2, id: "i" });
  assert.deepEqual(decodeStatusRequest(bytes), { value: { policy: "api", key: "a", cost: 2 } });
});

test("fields that are not known are skipped, whatever their type", () => {
  const known = encode("CheckLimitRequest", { policy: "api", key: "a", cost: 3 });
  const unknown = [
    ["varint", [0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["64 bits", [0x39, 1, 2, 3, 4, 5, 6, 7, 8]],
    ["bytes", [0x3a, 2, 0xff, 0xfe]],
    ["a group in a group", [0x3b, 0x43, 0x08, 1, 0x44, 0x3c]],
    ["32 bits", [0x45, 1, 2, 3, 4]],
    ["a cost of another type", [0x1d, 1, 2, 3, 4]],
    ["an id of another type", [0x20, 7]],
    ["what only other requests have", [0x28, 7, 0x30, 7]],
  ] as const;
  for (const [what, bytes] of unknown) {
    const value = { policy: "api", key: "a", cost: 3 };
    assert.deepEqual(decodeCheckRequest(Buffer.from([...bytes, ...known])), { value }, what);
    assert.deepEqual(decodeCheckRequest(Buffer.from([...known, ...bytes])), { value }, what);
  }
});

test("of a field that comes twice the last one counts, as protobuf says", () => {
  const first = encode("CheckLimitRequest", { policy: "api", key: "a", cost: 1, id: "first" });
  const second = encode("CheckLimitRequest", { key: "b", cost: 2, id: "second" });
  const value = { policy: "api", key: "b", cost: 2, id: "second" };
  assert.deepEqual(decodeCheckRequest(Buffer.concat([first, second])), { value });
});

test("a message cut off anywhere is read as protobufjs would, or refused", () => {
  // protobufjs reads a string at the very end though it is cut off, if it is not in a message of its own.
  const requests = [{ policy: "api", key: "user:42", cost: 300, id: "i" }, { key: "é€😀" }];
  const bytes = encode("CheckEveryRequest", { requests });
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 1) {
    const cut = bytes.subarray(0, length);
    const answer = decodeEveryRequest(cut);
    assert.equal("value" in answer, isMessage("CheckEveryRequest", cut), `cut at ${length}`);
    if ("wrong" in answer) refused += 1;
  }
  assert.ok(refused > 20);
});

const WRONG: readonly (readonly [string, readonly number[], RegExp])[] = [
  ["a key that is not UTF-8", [0x12, 2, 0xc3, 0x28], /^key must be a string in UTF-8$/],
  ["a policy that is not UTF-8", [0x0a, 1, 0xff], /^policy must be a string in UTF-8$/],
  ["an id that is not UTF-8", [0x22, 1, 0xff], /^id must be a string in UTF-8$/],
  ["a field of number 0", [0x00, 1], /field of number 0/],
  ["a wire type that does not exist", [0x27], /wire type 7/],
  ["the end of a group that was not begun", [0x24], /wire type 4/],
  ["a number of eleven bytes", [0x18, ...Array(11).fill(0xff)], /more than ten bytes/],
  ["a long number of eleven bytes", [0x28, ...Array(11).fill(0xff)], /more than ten bytes/],
  ["a long number that is cut off", [0x28, 0xff], /cut off in a number/],
  ["groups without end", Array(100).fill(0x23), /wire type 3/],
];

test("what is wrong is said", () => {
  for (const [what, bytes, message] of WRONG) {
    const answer = decodeCheckRequest(Buffer.from(bytes));
    assert.match("wrong" in answer ? answer.wrong : "nothing", message, what);
  }
  const inBatch = Buffer.from([0x0a, 0, 0x0a, 3, 0x12, 1, 0xff]);
  const wrong = "requests[1]: key must be a string in UTF-8";
  assert.deepEqual(decodeBatchRequest(inBatch), { wrong });
  assert.deepEqual(decodeEveryRequest(inBatch), { wrong });
});

test("as many requests as there may be are read, one more is refused", () => {
  for (const [name, read, most] of [
    ["CheckLimitsRequest", decodeBatchRequest, 1_000],
    ["CheckEveryRequest", decodeEveryRequest, 64],
  ] as const) {
    const requests = Array.from({ length: most }, (_, index) => ({ policy: "a", key: `${index}` }));
    const bytes = encode(name, { requests });
    const answer: Decoded<unknown> = read(bytes);
    const value = "value" in answer ? answer.value : answer.wrong;
    assert.deepEqual(Array.isArray(value) ? value : (value as { requests: object }).requests, [
      ...requests,
    ]);
    const more = Buffer.concat([bytes, Buffer.from([0x0a, 0])]);
    assert.deepEqual(read(more), { wrong: `requests must be at most ${most}, got more` });
  }
});

test("a time to live is read as protobufjs reads it, negative and huge ones too", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (number) => {
      const bytes = [0x28];
      for (let rest = BigInt.asUintN(64, number); ; rest >>= 7n) {
        bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
        if (rest <= 0x7fn) break;
      }
      const answer = decodeReserveRequest(Buffer.from(bytes));
      const { ttl } = (answer as { value: { ttl: number } }).value;
      assert.equal(ttl, decode("ReserveRequest", Buffer.from(bytes)).ttl_ms);
      assert.equal(ttl, Number(number));
    }),
  );
});
