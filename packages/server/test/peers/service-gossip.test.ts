// A service that gossips, in this process: when it is ready, where it can be reached, and what it logs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { fixedWindow, type PeerChange, type PolicyOptions, TidegateError } from "tidegate";
import { eventually } from "../../../../test/support/eventually.ts";
import { startFaultProxy } from "../../../../test/support/fault-proxy.ts";
import { freePort } from "../../../../test/support/free-port.ts";
import { startRedis, withoutRedis } from "../../../../test/support/redis-server.ts";
import { findOwnHost, parsePeerAddress } from "../../src/peers/peer-address.ts";
import type { PeerTls } from "../../src/peers/peer-tls.ts";
import type { ShownGossip } from "../../src/peers/service-gossip.ts";
import { createPeersLog } from "../../src/telemetry/peers-log.ts";
import {
  createLogLines,
  createManualStore,
  createManualTimers,
  type HttpClient,
  startTestService,
} from "../service-support.ts";
import { gossipWith, NODE_TLS, STRANGER_TLS, startNode } from "./support.ts";

const GOSSIP = {
  coordination: "gossip" as const,
  policies: { login: { limits: [fixedWindow({ limit: 2, window: "365d" })] } },
};

async function ready(http: HttpClient) {
  const { status, json } = await http("GET", "/readyz");
  return { status, gossip: (json as { gossip: ShownGossip }).gossip };
}

/** Whether gRPC health says SERVING. */
function isServing(port: number): Promise<boolean> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  return new Promise<boolean>((resolve, reject) => {
    const path = "/grpc.health.v1.Health/Check";
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error, answer) => {
      client.close();
      // Field 1, of value 1.
      if (error === null) resolve(answer!.equals(Buffer.from([8, 1])));
      else reject(error);
    });
  });
}

test("it is not ready before it has joined, or has found nobody, over HTTP and gRPC", async (context) => {
  const silent = await startNode(context);
  const proxy = await startFaultProxy({ target: silent.transport.port });
  context.after(() => proxy.stop());
  await proxy.turn({ kind: "mute" });
  const settings = { ...GOSSIP, ...gossipWith({ members: [`127.0.0.1:${proxy.port}`] }) };
  const { http, service, log } = await startTestService(context, settings);
  const { grpc, peers } = service.addresses;
  const starting = await ready(http);
  assert.deepEqual([starting.status, starting.gossip.joined], [503, false]);
  assert.equal(starting.gossip.address, `127.0.0.1:${peers!.port}`);
  assert.equal(await isServing(grpc.port), false);
  assert.equal((await http("GET", "/healthz")).status, 200);
  assert.equal(await service.ready(), true);
  const joined = await ready(http);
  assert.deepEqual([joined.status, joined.gossip.reachable, joined.gossip.nodes], [200, 1, 2]);
  assert.equal(await isServing(grpc.port), true);
  const lines = log.lines.map(({ message }) => message);
  assert.equal(lines.filter((line) => line.startsWith("joined nobody: ")).length, 1);
  await service.drain();
  assert.equal(log.lines.at(-1)!.message, "stopped");
});

test("a service that stops before it has joined, stops; where a start fails, all is let go", async (context) => {
  const node = await startNode(context);
  const members = [`127.0.0.1:${node.transport.port}`];
  const { service } = await startTestService(context, { ...GOSSIP, ...gossipWith({ members }) });
  await service.drain();
  assert.equal(await service.ready(), false);
  const taken = { ...GOSSIP, ...gossipWith({ members, port: node.transport.port }) };
  await assert.rejects(startTestService(context, taken), { field: "peersPort" });
  const wrong = { ...GOSSIP, ...gossipWith({ members }), defaultPolicy: "none" };
  await assert.rejects(startTestService(context, wrong), { field: "defaultPolicy" });
});

test("beside policies in a store that is away, it joins and is ready all the same", async (context) => {
  const store = createManualStore();
  store.pingAnswer = async () => {
    throw new TidegateError("STORE_UNAVAILABLE", "refused");
  };
  const node = await startNode(context);
  const { gossip } = gossipWith({ members: [node.transport.address] });
  const login: PolicyOptions = { ...GOSSIP.policies.login, coordination: "gossip" };
  const policies = { login, api: { limits: [fixedWindow({ limit: 2, window: "1m" })] } };
  const { http, service } = await startTestService(context, { gossip, policies }, { store });
  assert.equal(await service.ready(), true);
  const { status, json } = await http("GET", "/readyz");
  const { store: told, gossip: shown } = json as { store: string; gossip: ShownGossip };
  assert.deepEqual([status, told, shown.joined], [200, "unavailable", true]);
  const check = await http("POST", "/v1/check", { policy: "login", key: "k" });
  assert.equal((check.json as { allowed: boolean }).allowed, true);
});

test("nodes find each other in a Redis, and talk directly or through it", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  for (const transport of ["grpc", "redis"] as const) {
    await redis.client.flushall();
    const settings = { ...GOSSIP, ...gossipWith({ transport, redis: redis.url }) };
    const a = await startTestService(context, settings);
    const b = await startTestService(context, settings);
    assert.deepEqual([await a.service.ready(), await b.service.ready()], [true, true]);
    assert.equal(a.service.addresses.peers !== undefined, transport === "grpc");
    const check = await a.http("POST", "/v1/check", { policy: "login", key: "k" });
    assert.equal((check.json as { allowed: boolean }).allowed, true);
    await eventually(async () => {
      const { json } = await b.http("GET", "/v1/status?policy=login&key=k");
      assert.equal((json as { remaining: number }).remaining, 1, transport);
    });
    await Promise.all([a.service.drain(), b.service.drain()]);
    assert.deepEqual(await redis.client.zrange("tidegate:gossip:members", "0", "-1"), []);
  }
});

test("with mutual TLS no secret is needed, and another certificate is not heard", async (context) => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const members = ports.map((port) => `127.0.0.1:${port}`);
  const start = async (place: number, tls: PeerTls) => {
    const { gossip } = gossipWith({ members, tls, port: ports[place]! });
    const { secret: _, ...peers } = gossip.peers;
    return startTestService(context, { ...GOSSIP, gossip: { ...gossip, peers } });
  };
  const a = await start(0, NODE_TLS);
  const b = await start(1, NODE_TLS);
  const stranger = await start(2, STRANGER_TLS);
  await eventually(async () => {
    const { gossip } = await ready(a.http);
    assert.deepEqual([gossip.reachable, gossip.nodes], [2, 3]);
    const { reason } = gossip.peers.find(({ address }) => address === members[2])!;
    assert.match(reason!, /certificate/i);
  });
  await eventually(async () => assert.equal((await ready(stranger.http)).status, 200));
  await stranger.http("POST", "/v1/check", { policy: "login", key: "k", cost: 2 });
  await eventually(async () => {
    const { json } = await a.http("POST", "/v1/check", { policy: "login", key: "k" });
    assert.equal((json as { allowed: boolean }).allowed, true);
  });
  await eventually(async () => {
    const { json } = await b.http("GET", "/v1/status?policy=login&key=k");
    assert.equal((json as { remaining: number }).remaining, 1);
  });
});

test("a line of the log for each change, and seldom one for what is refused", () => {
  const logger = createLogLines();
  const timers = createManualTimers();
  const log = createPeersLog(logger, timers, (address) =>
    address === "a:1" ? "refused" : undefined,
  );
  const change = (address: string, region: string, state: PeerChange["peer"]["state"]) => {
    const peer = { address, region, state, instance: "", sinceMs: 0, lagMs: 0 };
    log.changed({ peer, reachable: 2, nodes: 3 });
  };
  change("a:1", "", "reachable");
  change("a:1", "", "away");
  change("b:1", "eu", "away");
  change("b:1", "eu", "left");
  for (let times = 0; times < 5; times += 1) log.refused("unsigned");
  log.refused("version");
  timers.advance(10_000);
  log.refused("unsigned");
  const counts = { reachable: 2, nodes: 3 };
  const refused = "a message of the gossip was refused";
  const from = "a node with another peers.secret, or a stranger";
  assert.deepEqual(
    logger.lines.map(({ level, message, fields }) => [level, message, fields]),
    [
      ["info", "peer is reachable", { peer: "a:1", ...counts }],
      ["warn", "peer is away", { peer: "a:1", ...counts, reason: "refused" }],
      ["warn", "peer is away", { peer: "b:1", region: "eu", ...counts }],
      ["info", "peer left", { peer: "b:1", region: "eu", ...counts }],
      ["warn", refused, { reason: "unsigned", from, leftOut: 0 }],
      ["warn", refused, { reason: "version", from: "a node of another version", leftOut: 0 }],
      ["warn", refused, { reason: "unsigned", from, leftOut: 4 }],
    ],
  );
});

test("addresses are read as people write them, and a machine knows its own", () => {
  const read: [string, string | undefined][] = [
    ["a", "a:8083"],
    ["a.b-c.svc:1", "a.b-c.svc:1"],
    ["10.0.0.1:65535", "10.0.0.1:65535"],
    ["::1", "::1:8083"],
    ["[::1]:7", "::1:7"],
    ...["", "a:", "a:0", "a:65536", "[a]:1", "a b", "1.2.3:4", "::1:x", "http://a:1"].map(
      (text): [string, undefined] => [text, undefined],
    ),
  ];
  for (const [text, expected] of read) {
    const address = parsePeerAddress(text, 8083);
    assert.equal(address && `${address.host}:${address.port}`, expected, text);
  }
  const face = (address: string, family: "IPv4" | "IPv6", internal = false, scopeid = 0) => {
    return { address, family, internal, scopeid, netmask: "", mac: "", cidr: null } as never;
  };
  const loopback = face("127.0.0.1", "IPv4", true);
  const own = (...faces: never[]) => findOwnHost("name", { lo: [loopback], eth0: faces });
  assert.equal(own(face("fd00::1", "IPv6"), face("10.0.0.1", "IPv4")), "10.0.0.1");
  assert.equal(own(face("fe80::1", "IPv6", false, 2), face("fd00::1", "IPv6")), "fd00::1");
  assert.equal(own(), "name");
});
