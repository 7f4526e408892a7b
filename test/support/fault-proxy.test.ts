// The proxy that the fault suite trusts: each weather does what it says, and nothing else.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { createManualTimer } from "../../packages/tidegate/test/support/manual-timer.ts";
import { eventually } from "./eventually.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";

/** What a client has been sent, and whether the connection is over. */
interface Caller {
  readonly socket: Socket;
  readonly heard: string;
  readonly isOver: boolean;
}

function call(port: number): Caller {
  const socket = connect(port, "127.0.0.1");
  const caller = { socket, heard: "", isOver: false };
  socket.on("data", (piece) => {
    caller.heard += piece;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    caller.isOver = true;
  });
  return caller;
}

async function hears(caller: Caller, text: string): Promise<void> {
  await eventually(() => assert.equal(caller.heard, text));
}

async function isOver(caller: Caller): Promise<void> {
  await eventually(() => assert.equal(caller.isOver, true));
}

describe("a fault proxy", () => {
  /** Answers each piece with itself, twice. */
  const echo = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (piece) => socket.write(Buffer.concat([piece, piece])));
  });
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  let asked = "";
  let proxy: FaultProxy;
  before(async () => {
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    const { port } = echo.address() as { port: number };
    proxy = await startFaultProxy({ target: port, timer, heard: (piece) => (asked += piece) });
  });
  after(async () => {
    await proxy.stop();
    echo.close();
  });

  test("passes what comes, counts who came, and tells what was asked", async () => {
    const caller = call(proxy.port);
    caller.socket.write("ab");
    await hears(caller, "abab");
    assert.equal(proxy.accepted, 1);
    assert.equal(asked, "ab");
    caller.socket.destroy();
  });

  test("delays both directions, and lets nothing overtake", async () => {
    const caller = call(proxy.port);
    caller.socket.write("a");
    await hears(caller, "aa");
    await proxy.turn({ kind: "delay", ms: 200 });
    caller.socket.write("b");
    await eventually(() => assert.equal(timer.size, 1));
    await proxy.turn({ kind: "pass" });
    caller.socket.write("c");
    await eventually(() => assert.equal(timer.size, 2));
    await timer.advanceMs(199);
    assert.equal(caller.heard, "aa");
    await timer.advanceMs(1);
    await hears(caller, "aabbcc");
    caller.socket.destroy();
  });

  test("drops pieces; who lost one hears nothing more, and who comes later does", async () => {
    const caller = call(proxy.port);
    caller.socket.write("a");
    await hears(caller, "aa");
    await proxy.turn({ kind: "drop", percent: 100 });
    const before = asked.length;
    caller.socket.write("b");
    await eventually(() => assert.equal(asked.length, before + 1));
    await proxy.turn({ kind: "pass" });
    caller.socket.write("c");
    const other = call(proxy.port);
    other.socket.write("d");
    await hears(other, "dd");
    assert.equal(caller.heard, "aa");
    assert.equal(caller.isOver, false);
    caller.socket.destroy();
    other.socket.destroy();
  });

  test("cuts in the middle of a reply", async () => {
    const caller = call(proxy.port);
    await proxy.turn({ kind: "cut" });
    caller.socket.write("abcd");
    await isOver(caller);
    assert.equal(caller.heard, "abcd");
    await proxy.turn({ kind: "pass" });
  });

  test("accepts and never answers, also not those who were there", async () => {
    const caller = call(proxy.port);
    caller.socket.write("a");
    await hears(caller, "aa");
    await proxy.turn({ kind: "mute" });
    await isOver(caller);
    const other = call(proxy.port);
    const before = asked.length;
    other.socket.write("b");
    await eventually(() => assert.equal(asked.length, before + 1));
    await proxy.turn({ kind: "pass" });
    const third = call(proxy.port);
    third.socket.write("c");
    await hears(third, "cc");
    assert.equal(other.heard, "");
    proxy.disconnect();
    await isOver(other);
    await isOver(third);
  });

  test("refuses, and listens on the same port afterwards", async () => {
    const caller = call(proxy.port);
    caller.socket.write("a");
    await hears(caller, "aa");
    const { port } = proxy;
    await proxy.turn({ kind: "refuse" });
    await isOver(caller);
    const refused = connect(port, "127.0.0.1");
    const [error] = await once(refused, "error");
    assert.equal(error.code, "ECONNREFUSED");
    assert.equal(proxy.isListening, false);
    await proxy.turn({ kind: "pass" });
    assert.equal(proxy.port, port);
    assert.equal(proxy.isListening, true);
    const healed = call(port);
    healed.socket.write("b");
    await hears(healed, "bb");
    healed.socket.destroy();
  });

  test("leads elsewhere, those who come from then on", async () => {
    const other = createServer((socket) => socket.end("elsewhere"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    proxy.leadTo(port);
    await hears(call(proxy.port), "elsewhere");
    other.close();
  });
});
