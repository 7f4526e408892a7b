// Starts real redis-server processes for tests, on free ports of the loopback, and ends them by process id.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** A running redis-server. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** A client for the test's own use. */
  readonly client: Redis;
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

/** Why the tests that need Redis are skipped, or false: only where the runner was told to do without. */
export const withoutRedis: string | false =
  process.env.TIDEGATE_TEST_WITHOUT_REDIS === "1" && "TIDEGATE_TEST_WITHOUT_REDIS=1";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How a server is started. */
interface StartOptions {
  /** Appended to the command line. */
  readonly args?: readonly string[];
  /** A configuration file, and what must follow it. */
  readonly first?: readonly string[];
  /** Left out: a free one. */
  readonly port?: number;
}

/** Starts one server. */
export async function startRedis(options: StartOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(options.port ?? (await freePort()), options);
    } catch (error) {
      if (attempt === 5 || error instanceof NoProgram) throw error;
    }
  }
}

/** Says that there is nothing to start, which no other port and no time mends. */
class NoProgram extends Error {}

async function startOn(port: number, options: StartOptions): Promise<RedisServer> {
  const { args = [], first = [] } = options;
  const directory = mkdtempSync(join(tmpdir(), "tidegate-redis-"));
  const command = process.env.TIDEGATE_REDIS_SERVER ?? "redis-server";
  const child = spawn(
    command,
    [
      ...first,
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--dir",
      directory,
      ...args,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  running.add(child);
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  }).then(() => running.delete(child));
  if (child.pid === undefined) {
    await exited;
    rmSync(directory, { recursive: true, force: true });
    throw new NoProgram(
      `${command} cannot be run: install redis-server, name one with TIDEGATE_REDIS_SERVER, or leave the tests ` +
        "that need it out with TIDEGATE_TEST_WITHOUT_REDIS=1",
    );
  }
  const client = new Redis({ port, host: "127.0.0.1", lazyConnect: true, retryStrategy: () => 20 });
  client.on("error", () => {});
  const stop = async () => {
    client.disconnect();
    child.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (!running.has(child)) throw new Error(`redis-server ended: ${output}`);
      if (!/Ready to accept connections|Sentinel ID is/.test(output))
        throw new Error("not ready yet");
    });
    await client.connect();
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, url: `redis://127.0.0.1:${port}`, pid: child.pid!, client, stop };
}

/** A running Redis Cluster of three masters. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly url: string;
  /** Starts the node at a place again, on its ports and with its arguments, after it has been stopped. */
  restart(place: number): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

/** Starts a Cluster of three masters without replicas, each with a third of the slots, and more arguments for each. */
export async function startRedisCluster(
  argsOf: (place: number) => readonly string[] = () => [],
): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const options: StartOptions[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let place = 0; place < MASTERS; place += 1) {
      options.push({ args: [...(await clusterArgs()), ...argsOf(place)] });
      nodes.push(await startRedis(options[place]));
    }
    await joinNodes(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = nodes.map((node) => `127.0.0.1:${node.port}`).join(",");
  const restart = async (place: number) => {
    nodes[place] = await startRedis({ ...options[place], port: nodes[place]!.port });
  };
  return { nodes, url: `redis+cluster://${hosts}`, restart, stop };
}

/** The arguments of a node of a Cluster, with a bus port of its own. */
export async function clusterArgs(): Promise<string[]> {
  const busPort = ["--cluster-port", String(await freePort())];
  return ["--cluster-enabled", "yes", ...busPort, "--cluster-node-timeout", "2000"];
}

async function joinNodes(nodes: readonly RedisServer[]): Promise<void> {
  const [first] = nodes;
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((SLOTS * index) / nodes.length);
    const to = Math.floor((SLOTS * (index + 1)) / nodes.length) - 1;
    await node.client.call("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
    if (node !== first) await meet(node, first!);
  }
  await eventually(async () => {
    for (const node of nodes) {
      const info = String(await node.client.call("CLUSTER", "INFO"));
      const known = info.includes(`cluster_known_nodes:${nodes.length}`);
      if (!info.includes("cluster_state:ok") || !known) throw new Error(info);
    }
  });
}

/** Has a node join the Cluster of another. */
export async function meet(node: RedisServer, other: RedisServer): Promise<void> {
  const config = (await other.client.config("GET", "cluster-port")) as unknown;
  const busPort = Array.isArray(config) ? config[1] : Object.values(config as object)[0];
  await node.client.call("CLUSTER", "MEET", "127.0.0.1", String(other.port), String(busPort));
}
