// A link to a node that is slow, or this one too busy to hear it: when a connection is given up, and when a message is.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { ANSWER_TIMEOUT_MS, type LossReason, PeerLink } from "../../src/peers/peer-link.ts";
import type { Timers } from "../../src/runtime/timers.ts";
import { createManualTimers } from "../service-support.ts";
import { bytes } from "./support.ts";

/** A node that answers no message by itself. */
async function startSlowNode(context: TestContext) {
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  const server = createServer();
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    stream.resume();
    streams.push(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const answer = (index: number) => {
    streams[index]!.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
  };
  return { port: (server.address() as AddressInfo).port, sessions, streams, answer };
}

async function openLink(context: TestContext, others: Partial<Timers> = {}) {
  const node = await startSlowNode(context);
  const timers = createManualTimers();
  const lost: LossReason[] = [];
  const link = new PeerLink({
    address: { host: "127.0.0.1", port: node.port },
    tls: undefined,
    timers: { ...timers, ...others },
    lost: (reason) => lost.push(reason),
  });
  context.after(() => link.close());
  const send = async (text: string) => {
    const before = node.streams.length;
    link.send(bytes(text));
    await eventually(() => assert.equal(node.streams.length, before + 1));
  };
  // What belongs to the beginning of a connection has arrived by then.
  await send("first");
  node.answer(0);
  await link.idle();
  return { ...node, link, timers, lost, send };
}

test("an answer that has arrived by its deadline, though this process was busy, is read first", async (context) => {
  const turns: (() => void)[] = [];
  const afterTurn = (work: () => void) => turns.push(work);
  const { link, timers, send, answer, lost, sessions } = await openLink(context, { afterTurn });
  await send("1");
  timers.advance(ANSWER_TIMEOUT_MS);
  answer(1);
  await link.idle();
  for (const work of turns.splice(0)) work();
  await send("2");
  assert.deepEqual([lost, sessions.length, link.reason], [[], 1, undefined]);
});

test("so is what a connection begins with", async (context) => {
  const { port, sessions } = await startSlowNode(context);
  const turns: (() => void)[] = [];
  const timers = createManualTimers();
  const lost: LossReason[] = [];
  const link = new PeerLink({
    address: { host: "127.0.0.1", port },
    tls: undefined,
    timers: { ...timers, afterTurn: (work) => turns.push(work) },
    lost: (reason) => lost.push(reason),
  });
  context.after(() => link.close());
  link.send(bytes("1"));
  timers.advance(ANSWER_TIMEOUT_MS);
  assert.equal(turns.length, 1);
  await eventually(() => assert.equal(link.reason, undefined));
  for (const work of turns) work();
  assert.deepEqual([lost, sessions.length], [[], 1]);
});

test("a node that says anything but the answer keeps its connection, and only the message is lost", async (context) => {
  const { link, timers, send, answer, lost, sessions } = await openLink(context);
  await send("1");
  const [session] = sessions;
  await new Promise<void>((resolve) => session!.ping(() => resolve()));
  timers.advance(ANSWER_TIMEOUT_MS);
  await eventually(() => assert.deepEqual(lost, ["unreachable"]));
  assert.equal(link.reason, `no answer within ${ANSWER_TIMEOUT_MS} ms`);
  await send("2");
  answer(2);
  await link.idle();
  assert.deepEqual([sessions.length, link.reason], [1, undefined]);
});

test("an answer that never ends is one, and holds no place for those that follow", async (context) => {
  const { timers, send, lost, streams, sessions } = await openLink(context);
  // As many as may be on their way.
  for (const index of [1, 2, 3, 4]) {
    await send(`${index}`);
    const heard = once(streams[index]!, "close");
    streams[index]!.respond({ ":status": 200, "grpc-status": "0" });
    await new Promise<void>((resolve) => sessions[0]!.ping(() => resolve()));
    timers.advance(ANSWER_TIMEOUT_MS);
    await heard;
  }
  await send("5");
  assert.deepEqual([lost, sessions.length], [[], 1]);
});

test("a node that says nothing at all is connected anew", async (context) => {
  const { link, timers, send, lost, sessions } = await openLink(context);
  await send("1");
  timers.advance(ANSWER_TIMEOUT_MS);
  assert.equal(link.reason, `no answer within ${ANSWER_TIMEOUT_MS} ms`);
  await eventually(() => assert.deepEqual(lost, ["unreachable"]));
  timers.advance(100);
  await send("2");
  assert.equal(sessions.length, 2);
});
