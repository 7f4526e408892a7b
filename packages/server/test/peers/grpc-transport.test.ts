import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import {
  Client,
  compressionAlgorithms,
  credentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import fc from "fast-check";
import { eventually } from "../../../../test/support/eventually.ts";
import { startFaultProxy } from "../../../../test/support/fault-proxy.ts";
import { freePort } from "../../../../test/support/free-port.ts";
import { DELIVER_PATH, encodeDeliverFrame } from "../../src/peers/deliver-codec.ts";
import { ANSWER_TIMEOUT_MS, MAX_QUEUE } from "../../src/peers/peer-link.ts";
import { createManualTimers } from "../service-support.ts";
import { bytes, NODE_TLS, STRANGER_TLS, startNode } from "./support.ts";

test("messages arrive, both ways, over a connection that is kept", async (context) => {
  const a = await startNode(context);
  const b = await startNode(context);
  const proxy = await startFaultProxy({ target: b.transport.port });
  context.after(() => proxy.stop());
  for (let turn = 1; turn <= 20; turn += 1) {
    a.transport.send(`127.0.0.1:${proxy.port}`, bytes(`a${turn}`));
    b.transport.send(a.transport.address, bytes(`b${turn}`));
    await eventually(() => assert.equal(b.received.at(-1), `a${turn}`));
    await eventually(() => assert.equal(a.received.at(-1), `b${turn}`));
  }
  assert.equal(proxy.accepted, 1);
  assert.deepEqual([...a.lost, ...b.lost, ...a.refused, ...b.refused], []);
});

test("what is too large is given up by who sends and refused by who receives, and counted", async (context) => {
  const a = await startNode(context, { maxMessageBytes: 5_000 });
  const b = await startNode(context, { maxMessageBytes: 1_000 });
  b.transport.send(a.transport.address, new Uint8Array(1_001));
  assert.deepEqual(b.lost, ["too-large"]);
  a.transport.send(b.transport.address, new Uint8Array(5_000));
  await eventually(() => assert.deepEqual([b.refused, a.lost], [["too-large"], ["refused"]]));
  assert.match(a.transport.reasonOf(b.transport.address)!, /gRPC status 8: .*larger than max/);
  a.transport.send(b.transport.address, new Uint8Array(1_000));
  await eventually(() => assert.equal(b.received.length, 1));
  assert.equal(a.transport.reasonOf(b.transport.address), undefined);
});

/** Calls Deliver as any client of gRPC would, with these bytes for a request; resolves to the status. */
async function call(port: number, request: Uint8Array, packed?: "gzip"): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.default_compression_algorithm": compressionAlgorithms[packed ?? "identity"],
    "grpc.max_send_message_length": -1,
  });
  const same = (value: Buffer) => value;
  try {
    return await new Promise((resolve) => {
      const done = (error: ServiceError | null) => resolve(error === null ? 0 : error.code);
      client.makeUnaryRequest(DELIVER_PATH, same, same, Buffer.from(request), done);
    });
  } finally {
    client.close();
  }
}

test("a client of gRPC is understood; a request that is none is refused and counted", async (context) => {
  const node = await startNode(context);
  const { port } = node.transport;
  assert.equal(await call(port, encodeDeliverFrame(bytes("hello")).subarray(5)), status.OK);
  assert.deepEqual(node.received, ["hello"]);
  assert.equal(await call(port, Uint8Array.of(0x0a, 9, 1)), status.INVALID_ARGUMENT);
  assert.deepEqual(node.refused, ["malformed"]);
});

test("what unpacks to too much is refused and counted, too", async (context) => {
  const node = await startNode(context, { maxMessageBytes: 100_000 });
  const { port } = node.transport;
  const bomb = encodeDeliverFrame(new Uint8Array(50_000_000)).subarray(5);
  assert.equal(await call(port, bomb, "gzip"), status.RESOURCE_EXHAUSTED);
  assert.deepEqual([node.refused, node.received], [["too-large"], []]);
  const small = encodeDeliverFrame(new Uint8Array(50_000)).subarray(5);
  assert.equal(await call(port, small, "gzip"), status.OK);
  assert.equal(node.received.length, 1);
});

test("strangers who do not speak gRPC change nothing", async (context) => {
  const node = await startNode(context);
  const { port } = node.transport;
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const heard = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((noise) => Buffer.from(noise)),
    fc.uint8Array({ maxLength: 200 }).map((noise) => Buffer.concat([preface, noise])),
    fc.constant(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
  );
  await fc.assert(
    fc.asyncProperty(heard, async (noise) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      socket.end(noise);
      socket.resume();
      await once(socket, "close");
    }),
    { numRuns: 60 },
  );
  assert.equal(await call(port, encodeDeliverFrame(bytes("still")).subarray(5)), status.OK);
  assert.deepEqual(node.received, ["still"]);
});

test("before it is opened it answers that it is starting", async (context) => {
  const a = await startNode(context);
  const b = await startNode(context, { shut: true });
  a.transport.send(b.transport.address, bytes("early"));
  await eventually(() => assert.deepEqual(a.lost, ["refused"]));
  assert.match(a.transport.reasonOf(b.transport.address)!, /status 14: the node is starting/);
  const received: string[] = [];
  await b.transport.open((message) => received.push(Buffer.from(message).toString()));
  a.transport.send(b.transport.address, bytes("again"));
  await eventually(() => assert.deepEqual(received, ["again"]));
});

test("a node that is not there is tried again, later and later, until it is", async (context) => {
  const timers = createManualTimers();
  const a = await startNode(context, { timers });
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let lost = 0;
  const fails = async () => {
    a.transport.send(address, bytes("x"));
    lost += 1;
    await eventually(() => assert.equal(a.lost.length, lost));
  };
  for (const waitMs of [100, 200, 400, 800, 1_000, 1_000]) {
    await fails();
    assert.match(a.transport.reasonOf(address)!, /ECONNREFUSED/);
    timers.advance(waitMs - 1);
    a.transport.send(address, bytes("too early"));
    lost += 1;
    assert.equal(a.lost.length, lost, "it is given up at once");
    timers.advance(1);
  }
  const b = await startNode(context, { port });
  a.transport.send(address, bytes("hello"));
  await eventually(() => assert.deepEqual(b.received, ["hello"]));
  assert.equal(a.transport.reasonOf(address), undefined);
  await b.transport.close();
  await eventually(async () => {
    timers.advance(1_000);
    await fails();
    assert.match(a.transport.reasonOf(address)!, /ECONNREFUSED/);
  });
  const again = await startNode(context, { port });
  timers.advance(1_000);
  a.transport.send(address, bytes("hello again"));
  await eventually(() => assert.deepEqual(again.received, ["hello again"]));
});

test("for a node that is silent a few messages wait, the newest, and it is connected anew", async (context) => {
  const timers = createManualTimers();
  const a = await startNode(context, { timers });
  const b = await startNode(context);
  const proxy = await startFaultProxy({ target: b.transport.port });
  context.after(() => proxy.stop());
  await proxy.turn({ kind: "mute" });
  const address = `127.0.0.1:${proxy.port}`;
  for (let sent = 1; sent <= MAX_QUEUE + 12; sent += 1) a.transport.send(address, bytes(`${sent}`));
  assert.deepEqual(a.lost, new Array(12).fill("queue"));
  await eventually(() => assert.equal(proxy.accepted, 1));
  timers.advance(700);
  assert.equal(a.transport.reasonOf(address), "no connection for 700 ms");
  timers.advance(ANSWER_TIMEOUT_MS - 700);
  assert.equal(a.lost.length, MAX_QUEUE + 12);
  assert.equal(a.transport.reasonOf(address), `no connection within ${ANSWER_TIMEOUT_MS} ms`);
  await proxy.turn({ kind: "pass" });
  timers.advance(100);
  for (let sent = 1; sent <= MAX_QUEUE; sent += 1) a.transport.send(address, bytes(`${sent}`));
  await eventually(() => assert.equal(b.received.length, MAX_QUEUE));
});

test("a node that falls silent is connected anew, and hears again once it listens", async (context) => {
  const timers = createManualTimers();
  const a = await startNode(context, { timers });
  const b = await startNode(context);
  const proxy = await startFaultProxy({ target: b.transport.port });
  context.after(() => proxy.stop());
  const address = `127.0.0.1:${proxy.port}`;
  a.transport.send(address, bytes("1"));
  await eventually(() => assert.deepEqual(b.received, ["1"]));
  // The connection stays, and all that is said from now on is lost: a partition.
  await proxy.turn({ kind: "drop", percent: 100 });
  a.transport.send(address, bytes("2"));
  assert.equal(a.transport.reasonOf(address), undefined);
  timers.advance(600);
  assert.equal(a.transport.reasonOf(address), "no answer for 600 ms");
  timers.advance(ANSWER_TIMEOUT_MS - 600);
  assert.equal(a.transport.reasonOf(address), `no answer within ${ANSWER_TIMEOUT_MS} ms`);
  await eventually(() => assert.deepEqual(a.lost, ["unreachable"]));
  await proxy.turn({ kind: "pass" });
  timers.advance(100);
  a.transport.send(address, bytes("3"));
  await eventually(() => assert.deepEqual(b.received, ["1", "3"]));
});

test("a close lets what was sent arrive, and waits for no node that is silent", async (context) => {
  const timers = createManualTimers();
  const a = await startNode(context, { timers });
  const b = await startNode(context);
  for (let sent = 1; sent <= MAX_QUEUE; sent += 1) {
    a.transport.send(b.transport.address, bytes(`${sent}`));
  }
  await a.transport.close();
  assert.deepEqual(b.received, ["1", "2", "3", "4", "5", "6", "7", "8"]);
  const c = await startNode(context, { timers });
  const proxy = await startFaultProxy({ target: b.transport.port });
  context.after(() => proxy.stop());
  await proxy.turn({ kind: "mute" });
  c.transport.send(`127.0.0.1:${proxy.port}`, bytes("never"));
  const closed = c.transport.close();
  timers.advance(1_000);
  await closed;
  assert.deepEqual(c.lost, ["unreachable"]);
  c.transport.send(b.transport.address, bytes("after"));
  assert.deepEqual(c.lost, ["unreachable", "unreachable"]);
});

test("with mutual TLS nodes of the same authority hear each other, and no stranger is heard", async (context) => {
  const a = await startNode(context, { tls: NODE_TLS });
  const b = await startNode(context, { tls: { ...NODE_TLS, name: "node.tidegate.test" } });
  a.transport.send(b.transport.address, bytes("from a"));
  b.transport.send(a.transport.address, bytes("from b"));
  await eventually(() => assert.deepEqual([b.received, a.received], [["from a"], ["from b"]]));
  const wrong: [string, Parameters<typeof startNode>[1], RegExp][] = [
    ["plain", {}, /./],
    ["another authority's", { tls: STRANGER_TLS }, /./],
    ["other names expected", { tls: { ...NODE_TLS, name: "other.test" } }, /altnames/],
  ];
  for (const [what, options, reason] of wrong) {
    const stranger = await startNode(context, options);
    stranger.transport.send(a.transport.address, bytes(what));
    await eventually(() => assert.deepEqual(stranger.lost, ["unreachable"], what));
    assert.match(stranger.transport.reasonOf(a.transport.address)!, reason, what);
  }
  a.transport.send(b.transport.address, bytes("still"));
  await eventually(() => assert.deepEqual(b.received, ["from a", "still"]));
  assert.deepEqual(a.received, ["from b"]);
});

test("links to nodes that are members no more are closed, and what is no address gets nothing", async (context) => {
  const timers = createManualTimers();
  const members: string[] = [];
  const a = await startNode(context, { timers, members });
  const b = await startNode(context);
  const proxy = await startFaultProxy({ target: b.transport.port });
  context.after(() => proxy.stop());
  const address = `127.0.0.1:${proxy.port}`;
  members.push(address);
  const say = async (text: string) => {
    a.transport.send(address, bytes(text));
    await eventually(() => assert.equal(b.received.at(-1), text));
  };
  await say("1");
  timers.advance(60_000);
  await say("2");
  assert.equal(proxy.accepted, 1, "a member's is kept");
  members.pop();
  timers.advance(60_000);
  await say("3");
  assert.equal(proxy.accepted, 2);
  for (const wrong of ["", "a b:1", "host:99999", "http://host", "1.2.3:4", "[x]:1"]) {
    a.transport.send(wrong, bytes("x"));
  }
  assert.deepEqual(a.lost, new Array(6).fill("unreachable"));
});

test("a port that cannot be had is named", async (context) => {
  const a = await startNode(context);
  await assert.rejects(startNode(context, { port: a.transport.port }), {
    code: "INVALID_OPTION",
    field: "peersPort",
    message: /^peersPort must be a port that can be listened on, got \d+ on 127.0.0.1: something/,
  });
});
