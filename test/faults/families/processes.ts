// Redis processes that are killed, come back, hang, load, or are not there yet.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import { type RedisServer, startRedis } from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";
import type { Connection } from "../orders.ts";

const onPort = (port: number): Connection => ({ kind: "url", url: `redis://127.0.0.1:${port}` });

/** A server that ends without a word, and comes back on its port. */
async function killed(args: readonly string[] = []): Promise<Scene> {
  let server = await startRedis({ args });
  const { port } = server;
  return {
    connection: onPort(port),
    begin: () => server.stop(),
    async end() {
      server = await startRedis({ args, port });
    },
    stop: () => server.stop(),
  };
}

/** The same, with its data in a directory that outlives it; the machine goes on, so that nothing need be synced. */
async function killedWithData(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "tidegate-faults-"));
  const scene = await killed(["--dir", directory, "--appendonly", "yes", "--appendfsync", "no"]);
  return {
    ...scene,
    async stop() {
      await scene.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A server that does not run and does not end, reached in some way. */
async function frozen(reach: (port: number) => Connection): Promise<Scene> {
  const server = await startRedis();
  return {
    connection: reach(server.port),
    begin: async () => void process.kill(server.pid, "SIGSTOP"),
    end: async () => void process.kill(server.pid, "SIGCONT"),
    stop: () => server.stop(),
  };
}

async function absent(): Promise<Scene> {
  const port = await freePort();
  let server: RedisServer | undefined;
  return {
    connection: onPort(port),
    begin: async () => {},
    async end() {
      server = await startRedis({ port });
    },
    stop: async () => server?.stop(),
  };
}

/** Keys to load, and how long each takes. The server answers others meanwhile, with LOADING. */
const LOADED_KEYS = 4_000;
const LOAD_US = 1_000;

/** A server that is back, and loads what it has for seconds. */
async function loading(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "tidegate-faults-"));
  const args = ["--dir", directory];
  let server = await startRedis({ args });
  const { port } = server;
  let restarted: Promise<RedisServer> | undefined;
  return {
    connection: onPort(port),
    async begin() {
      const keys = Array.from({ length: LOADED_KEYS }, (_, index) => `filler:${index}`);
      await Promise.all(keys.map((key) => server.client.set(key, "x")));
      // What was taken until the very end is in it.
      await server.client.call("SHUTDOWN", "SAVE").catch(() => {});
      await server.stop();
      const slow = ["--key-load-delay", String(LOAD_US), "--loading-process-events-interval-bytes"];
      restarted = startRedis({ args: [...args, ...slow, "1024"], port });
    },
    async end() {
      server = await restarted!;
    },
    async stop() {
      await (await restarted)?.stop();
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Faults of processes. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "killed-empty",
    title: "Redis killed (kill −9), back empty",
    leaves: "away",
    losses: 1,
    open: () => killed(),
  },
  {
    name: "killed-with-data",
    title: "Redis killed (kill −9), back with its data",
    leaves: "away",
    open: killedWithData,
  },
  {
    name: "frozen",
    title: "Redis hangs (SIGSTOP, SIGCONT)",
    leaves: "away",
    open: () => frozen(onPort),
  },
  {
    name: "frozen-ioredis",
    title: "Redis hangs, an application's client of ioredis",
    leaves: "away",
    open: () => frozen((port) => ({ kind: "ioredis", port })),
  },
  {
    name: "frozen-redis",
    title: "Redis hangs, an application's client of redis",
    leaves: "away",
    open: () => frozen((port) => ({ kind: "redis", port })),
  },
  {
    name: "refused-at-start",
    title: "Connection refused at the start",
    leaves: "away",
    fromTheStart: true,
    open: absent,
  },
  {
    name: "loading",
    title: "Redis loads its data (LOADING)",
    leaves: "away",
    open: loading,
  },
];
