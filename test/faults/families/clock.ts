// A node that does nothing for a second, and a wall clock that is set while the store is away.

import { startRedis } from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";
import { openNetwork } from "./network.ts";

const HOUR_MS = 3_600_000;

async function blocked(): Promise<Scene> {
  const server = await startRedis();
  return {
    connection: { kind: "url", url: server.url },
    begin: async (nodes) => void (await nodes.tell({ do: "block", ms: 1_000 })),
    end: async () => {},
    stop: () => server.stop(),
  };
}

async function stepped(ms: number): Promise<Scene> {
  const { scene } = await openNetwork(
    "127.0.0.1",
    async (proxy, nodes) => {
      await proxy.turn({ kind: "refuse" });
      await nodes.tell({ do: "step", ms });
    },
    async (proxy) => proxy.turn({ kind: "pass" }),
  );
  return scene;
}

/** Faults of time. */
export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: "blocked-loop",
    title: "Each node's event loop blocked for 1 s",
    leaves: "some",
    open: blocked,
  },
  {
    name: "clock-forward",
    title: "Clock of the nodes set 1 h forward, Redis refused",
    leaves: "away",
    open: () => stepped(HOUR_MS),
  },
  {
    name: "clock-back",
    title: "Clock of the nodes set 1 h back, Redis refused",
    leaves: "away",
    open: () => stepped(-HOUR_MS),
  },
];
