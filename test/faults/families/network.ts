// A network that is slow, loses, cuts, swallows or refuses, and a name that does not resolve any more.

import { type FaultProxy, startFaultProxy, type Weather } from "../../support/fault-proxy.ts";
import { startRedis } from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";
import type { Nodes } from "../nodes.ts";

/** The name of the proxy where a name is needed. */
const NAME = "redis.test";

interface Network {
  readonly proxy: FaultProxy;
  readonly scene: Scene;
}

/** A server behind a proxy. */
export async function openNetwork(
  host: string,
  begin: (proxy: FaultProxy, nodes: Nodes) => Promise<void>,
  end: (proxy: FaultProxy, nodes: Nodes) => Promise<void>,
): Promise<Network> {
  const server = await startRedis();
  let probes = 0;
  let checks = 0;
  const heard = (piece: Buffer) => {
    const text = piece.toString("latin1");
    probes += count(text, /:ping\r\n/g);
    checks += count(text, /\bEVALSHA\r\n/g);
  };
  const proxy = await startFaultProxy({ target: server.port, heard });
  const scene: Scene = {
    connection: { kind: "url", url: `redis://${host}:${proxy.port}` },
    begin: (nodes) => begin(proxy, nodes),
    end: (nodes) => end(proxy, nodes),
    heard: () => {
      return { connections: proxy.isListening ? proxy.accepted : Number.NaN, probes, checks };
    },
    async stop() {
      await proxy.stop();
      await server.stop();
    },
  };
  return { proxy, scene };
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

async function weather(kind: Weather): Promise<Scene> {
  const { scene } = await openNetwork(
    "127.0.0.1",
    (proxy) => proxy.turn(kind),
    (proxy) => proxy.turn({ kind: "pass" }),
  );
  return scene;
}

async function nameless(): Promise<Scene> {
  const { scene } = await openNetwork(
    NAME,
    async (proxy, nodes) => {
      await nodes.tell({ do: "resolve", works: false });
      // A name is asked for where a connection is made.
      proxy.disconnect();
    },
    async (_proxy, nodes) => void (await nodes.tell({ do: "resolve", works: true })),
  );
  return scene;
}

/** Faults of the network. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: "slow-20ms",
    title: "20 ms more in each direction",
    leaves: "all",
    open: () => weather({ kind: "delay", ms: 20 }),
  },
  {
    name: "slow-200ms",
    title: "200 ms more in each direction",
    leaves: "away",
    open: () => weather({ kind: "delay", ms: 200 }),
  },
  {
    name: "slow-2000ms",
    title: "2,000 ms more in each direction",
    leaves: "away",
    open: () => weather({ kind: "delay", ms: 2_000 }),
  },
  {
    name: "dropped",
    title: "3 % of the packets are lost for good",
    leaves: "some",
    open: () => weather({ kind: "drop", percent: 3 }),
  },
  {
    name: "cut-mid-reply",
    title: "Connections closed in the middle of a reply",
    // The half of two replies is one.
    leaves: "some",
    open: () => weather({ kind: "cut" }),
  },
  {
    name: "mute",
    title: "Connections accepted and never answered",
    leaves: "away",
    open: () => weather({ kind: "mute" }),
  },
  {
    name: "refused",
    title: "Connections cut, and refused",
    leaves: "away",
    open: () => weather({ kind: "refuse" }),
  },
  {
    name: "name-lost",
    title: "The name of Redis does not resolve any more",
    leaves: "away",
    open: nameless,
  },
];
