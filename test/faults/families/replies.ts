// A Redis that answers, and not what was asked for: full, read-only, busy, or without scripts.

import { systemTimer } from "../../../packages/tidegate/src/runtime/system-timer.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { type RedisServer, startRedis } from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";

type Act = (server: RedisServer) => Promise<unknown>;

async function told(begin: Act, end: Act, args: readonly string[] = []): Promise<Scene> {
  const server = await startRedis({ args });
  return {
    connection: { kind: "url", url: server.url },
    begin: async () => void (await begin(server)),
    end: async () => void (await end(server)),
    stop: () => server.stop(),
  };
}

/** Does something over and over while the fault lasts. */
async function repeated(act: Act, everyMs: number): Promise<Scene> {
  let cancel = () => {};
  const again = (server: RedisServer) => {
    cancel = systemTimer.after(everyMs, () => {
      again(server);
      act(server).catch(() => {});
    });
  };
  const scene = await told(
    async (server) => again(server),
    async () => cancel(),
  );
  return {
    ...scene,
    stop() {
      cancel();
      return scene.stop();
    },
  };
}

/** A script that does not end, and that has written nothing, so that it can be killed. */
const ENDLESS = "while true do end";

/** A script of somebody else's that runs and runs, until it is killed. */
function busy(): Promise<Scene> {
  let running: Promise<unknown> | undefined;
  return told(
    async (server) => {
      const other = server.client.duplicate();
      other.on("error", () => {});
      running = other.call("EVAL", ENDLESS, "0").then(
        () => other.disconnect(),
        () => other.disconnect(),
      );
      await eventually(async () => {
        const answer = await server.client.ping().catch((error: Error) => error.message);
        if (!answer.startsWith("BUSY")) throw new Error(`it answers ${answer}`);
      });
    },
    async (server) => {
      await server.client.call("SCRIPT", "KILL");
      await running;
    },
    ["--lua-time-limit", "50"],
  );
}

/** A master that has become a replica of another, while its address still leads to it. */
async function demoted(): Promise<Scene> {
  const first = await startRedis();
  const second = await startRedis({ args: ["--replicaof", "127.0.0.1", String(first.port)] });
  const proxy = await startFaultProxy({ target: first.port });
  return {
    connection: { kind: "url", url: `redis://127.0.0.1:${proxy.port}` },
    async begin() {
      // Waits for what the replica lacks, so that nothing is lost.
      await first.client.call("FAILOVER");
      for (let role = ""; role !== "slave"; ) {
        const [one] = (await first.client.call("ROLE")) as string[];
        role = one!;
      }
    },
    async end() {
      proxy.leadTo(second.port);
    },
    async stop() {
      await proxy.stop();
      await Promise.all([first.stop(), second.stop()]);
    },
  };
}

/** Faults of what Redis answers. */
export const REPLY_FAULTS: readonly Fault[] = [
  {
    name: "full",
    title: "Redis full (maxmemory, noeviction)",
    leaves: "some",
    open: () =>
      told(
        ({ client }) => client.config("SET", "maxmemory", "1"),
        ({ client }) => client.config("SET", "maxmemory", "0"),
      ),
  },
  {
    name: "read-only",
    title: "Failover, the address still leads to the replica",
    leaves: "away",
    open: demoted,
  },
  {
    name: "scripts-flushed",
    title: "SCRIPT FLUSH, every 50 ms",
    leaves: "all",
    open: () => repeated(({ client }) => client.script("FLUSH"), 50),
  },
  {
    name: "busy",
    title: "A script that does not end (BUSY), killed in the end",
    leaves: "away",
    open: busy,
  },
];
