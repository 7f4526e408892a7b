// What messages go in: signed where there is a secret; refused and counted where they are not what they should be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Envelope } from "../../src/gossip/envelope.ts";
import type { GossipMessage } from "../../src/index.ts";
import { createHmacSigner } from "../../src/runtime/hmac-signer.ts";
import { messageOf, originOf, readWhole, say } from "./messages.ts";

const SECRET = "a secret of all nodes";

/** A node's envelope: what it sent, what it took, and what was told of both. */
function createEnvelope(secret?: string, take: (message: Uint8Array) => void = readWhole) {
  const sent: Uint8Array[] = [];
  const taken: Uint8Array[] = [];
  const told: GossipMessage[] = [];
  let receive!: (message: Uint8Array) => void;
  const envelope = new Envelope({
    transport: {
      address: "a",
      open: (given) => {
        receive = given;
      },
      send: (_address, message) => void sent.push(message),
      members: () => [],
      close() {},
    },
    signer: secret === undefined ? undefined : createHmacSigner(secret),
    telemetry: { gossiped: (event) => void told.push(event) },
    maxBytes: 1_024,
  });
  void envelope.open((message) => {
    take(message);
    taken.push(message.slice());
  });
  return { envelope, sent, taken, told, receive: (bytes: Uint8Array) => receive(bytes) };
}

function message(): Uint8Array {
  const origin = originOf("00000000000000aa");
  say(origin, { policy: "api", name: "k" }, { units: 3 });
  return messageOf([[origin, 0]]);
}

/** What becomes of bytes at a node. */
function fate(bytes: Uint8Array, secret?: string): string {
  const { receive, told } = createEnvelope(secret);
  receive(bytes);
  assert.equal(told.length, 1);
  assert.equal(told[0]!.bytes, bytes.length);
  return told[0]!.reason ?? told[0]!.direction;
}

function sealed(secret?: string): Uint8Array {
  const { envelope, sent, told } = createEnvelope(secret);
  envelope.send("b", message());
  assert.deepEqual(told, [{ direction: "sent", bytes: sent[0]!.length }]);
  return sent[0]!;
}

test("what is sent arrives, with a secret that both know or with none", () => {
  for (const secret of [undefined, SECRET]) {
    const { receive, taken } = createEnvelope(secret);
    receive(sealed(secret));
    assert.deepEqual(taken, [message()]);
  }
});

test("without a secret it is as long as the message, with one 32 bytes longer", () => {
  assert.equal(sealed().length, message().length);
  assert.equal(sealed(SECRET).length, message().length + 32);
});

test("what is not signed, by another secret, or altered by a single bit is refused", () => {
  assert.equal(fate(sealed(), SECRET), "unsigned");
  assert.equal(fate(sealed("another secret of others"), SECRET), "unsigned");
  assert.equal(fate(sealed(SECRET).subarray(0, 20), SECRET), "unsigned");
  assert.equal(fate(message().subarray(0, 6), SECRET), "unsigned");
  const whole = sealed(SECRET);
  for (let bit = 0; bit < 8 * whole.length; bit += 1) {
    const bytes = whole.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(fate(bytes, SECRET), "received", `bit ${bit}`);
  }
});

test("what is signed says nothing to a node that knows no secret", () => {
  assert.equal(fate(sealed(SECRET)), "malformed");
});

test("another version, too many bytes, and what is no message are refused and told apart", () => {
  const other = message();
  other[2] = 9;
  assert.equal(fate(other), "version");
  assert.equal(fate(new Uint8Array(1_024 + 65_536 + 1)), "too-large");
  assert.equal(fate(new Uint8Array(0)), "malformed");
  assert.equal(fate(new TextEncoder().encode("GET / HTTP/1.1")), "malformed");
  assert.equal(fate(message().subarray(0, 30)), "malformed");
});

test("whatever goes wrong with a message is no error of whoever received it", () => {
  const { receive, told } = createEnvelope(undefined, () => {
    throw new TypeError("not foreseen");
  });
  receive(message());
  assert.equal(told[0]!.reason, "malformed");
});
