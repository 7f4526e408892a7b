// A master that fails: behind Sentinels, in a Cluster; and slots of a Cluster that move while they are used.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisKey, slotOf } from "../../../packages/tidegate/src/stores/redis/key.ts";
import { eventually } from "../../support/eventually.ts";
import {
  clusterArgs,
  meet,
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";
import { HOT_KEY, MODES, POOL_KEYS, policyName, SUM_KEY, sumPolicyName } from "../orders.ts";
import { pass } from "../run-fault.ts";

const temporary = (name: string) => mkdtempSync(join(tmpdir(), `tidegate-${name}-`));

/** How long a master must be silent before the Sentinel thinks that it is gone. */
const DOWN_AFTER_MS = 1_000;

async function startSentinel(master: RedisServer): Promise<RedisServer> {
  const directory = temporary("sentinel");
  const file = join(directory, "sentinel.conf");
  writeFileSync(
    file,
    `sentinel monitor main 127.0.0.1 ${master.port} 1
sentinel down-after-milliseconds main ${DOWN_AFTER_MS}
sentinel failover-timeout main 3000
`,
  );
  const server = await startRedis({ first: [file, "--sentinel"] });
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...server, stop };
}

/** A master and its replica, and a Sentinel that promotes it. */
async function sentinel(): Promise<Scene> {
  const master = await startRedis();
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  await eventually(async () => {
    const replication = await replica.client.info("replication");
    if (!replication.includes("master_link_status:up")) throw new Error(replication);
  });
  const watcher = await startSentinel(master);
  await eventually(async () => {
    const replicas = (await watcher.client.call("SENTINEL", "REPLICAS", "main")) as unknown[];
    if (replicas.length === 0) throw new Error("the Sentinel knows no replica");
  });
  return {
    connection: { kind: "url", url: `redis+sentinel://127.0.0.1:${watcher.port}/main` },
    begin: () => master.stop(),
    async end() {
      await hasRole(replica, "master");
      // Until the Sentinel says so, nobody can know.
      await eventually(async () => {
        const ask = ["GET-MASTER-ADDR-BY-NAME", "main"] as const;
        const [, port] = (await watcher.client.call("SENTINEL", ...ask)) as string[];
        if (port !== String(replica.port)) throw new Error(`the master is at ${port}`);
      });
    },
    async stop() {
      await watcher.stop();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

async function hasRole({ client }: RedisServer, role: string): Promise<void> {
  const attempt = async () => {
    const [is] = (await client.call("ROLE")) as string[];
    if (is !== role) throw new Error(`it is a ${is}`);
  };
  await eventually(attempt, 30_000);
}

/** Whether a key lies on the first of three masters. */
function isOnFirst(policy: string, key: string): boolean {
  return slotOf(redisKey("tidegate", policy, key)) < Math.floor(16_384 / 3);
}

/** One of three masters is killed, and comes back with its data; the others go on without it. */
async function masterLost(): Promise<Scene> {
  const directories = [0, 1, 2].map(() => temporary("cluster"));
  const cluster = await startRedisCluster((place) => {
    const data = ["--dir", directories[place]!, "--appendonly", "yes", "--appendfsync", "no"];
    return ["--cluster-require-full-coverage", "no", ...data];
  });
  return {
    connection: { kind: "url", url: cluster.url },
    isAway: isOnFirst,
    begin: () => cluster.nodes[0]!.stop(),
    async end() {
      await cluster.restart(0);
      await isWhole(cluster.nodes);
    },
    async stop() {
      await cluster.stop();
      for (const directory of directories) rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function isWhole(nodes: readonly RedisServer[]): Promise<void> {
  const attempt = async () => {
    for (const { client } of nodes) {
      const info = String(await client.call("CLUSTER", "INFO"));
      if (!info.includes("cluster_state:ok") || !info.includes("cluster_slots_ok:16384")) {
        throw new Error(info);
      }
    }
  };
  await eventually(attempt, 30_000);
}

/** One of three masters is killed, and its replica takes its place. */
async function masterReplaced(): Promise<Scene> {
  const cluster = await startRedisCluster(() => ["--cluster-require-full-coverage", "no"]);
  const replica = await startRedis({ args: await clusterArgs() });
  const [first] = cluster.nodes as [RedisServer];
  await meet(replica, first);
  const id = String(await first.client.call("CLUSTER", "MYID"));
  await eventually(() => replica.client.call("CLUSTER", "REPLICATE", id));
  await eventually(async () => {
    const replication = await replica.client.info("replication");
    if (!replication.includes("master_link_status:up")) throw new Error(replication);
  });
  return {
    connection: { kind: "url", url: cluster.url },
    isAway: isOnFirst,
    begin: () => first.stop(),
    async end() {
      await hasRole(replica, "master");
      await isWhole([replica, ...cluster.nodes.slice(1)]);
    },
    async stop() {
      await replica.stop();
      await cluster.stop();
    },
  };
}

/** Where a slot is, and where it goes next. */
interface Move {
  readonly slot: number;
  readonly from: RedisServer;
  readonly to: RedisServer;
}

/** How long a slot is on its way: its keys before and after it. */
const STEP_MS = 40;

/** Moves a slot with its keys, as `redis-cli --cluster reshard` does, with time for checks in between. */
async function move({ slot, from, to }: Move, all: readonly RedisServer[]): Promise<void> {
  const name = String(slot);
  const [fromId, toId] = await Promise.all(
    [from, to].map(async ({ client }) => String(await client.call("CLUSTER", "MYID"))),
  );
  await to.client.call("CLUSTER", "SETSLOT", name, "IMPORTING", fromId!);
  await from.client.call("CLUSTER", "SETSLOT", name, "MIGRATING", toId!);
  await pass(STEP_MS);
  for (;;) {
    const keys = (await from.client.call("CLUSTER", "GETKEYSINSLOT", name, "20")) as string[];
    if (keys.length === 0) break;
    const target = ["127.0.0.1", String(to.port), "", "0", "5000", "KEYS"];
    await from.client.call("MIGRATE", ...target, ...keys);
    if (keys.length > 1) await pass(1);
  }
  await pass(STEP_MS);
  // Those concerned before the rest, so that none is told of an owner who knows nothing of it.
  for (const { client } of [to, from, ...all.filter((one) => one !== to && one !== from)]) {
    await client.call("CLUSTER", "SETSLOT", name, "NODE", toId!);
  }
}

/** The slots of all keys that every node asks for move on and on. */
async function moving(): Promise<Scene> {
  const cluster = await startRedisCluster();
  let isOver = false;
  let moved: Promise<void> = Promise.resolve();
  return {
    connection: { kind: "url", url: cluster.url },
    async begin() {
      moved = moveAll(cluster, () => isOver);
    },
    async end() {
      isOver = true;
      await moved;
    },
    async stop() {
      isOver = true;
      await moved;
      await cluster.stop();
    },
  };
}

async function moveAll({ nodes }: RedisCluster, isOver: () => boolean): Promise<void> {
  const pool = Array.from({ length: POOL_KEYS }, (_, index) => `outage-${index}`);
  const names = MODES.flatMap((mode) => [
    ...[HOT_KEY, ...pool].map((key) => redisKey("tidegate", policyName(mode), key)),
    redisKey("tidegate", sumPolicyName(mode), SUM_KEY),
  ]);
  const places = new Map<number, number>();
  for (const name of names) {
    const slot = slotOf(name);
    places.set(slot, Math.min(Math.floor((slot * nodes.length) / 16_384), nodes.length - 1));
  }
  for (;;) {
    for (const [slot, place] of places) {
      if (isOver()) return;
      const next = (place + 1) % nodes.length;
      await move({ slot, from: nodes[place]!, to: nodes[next]! }, nodes);
      places.set(slot, next);
    }
  }
}

/** Faults of several servers. */
export const CLUSTER_FAULTS: readonly Fault[] = [
  {
    name: "sentinel-failover",
    title: "Master killed, Sentinel promotes its replica",
    leaves: "away",
    losses: 1,
    lastsMs: 900,
    open: sentinel,
  },
  {
    name: "cluster-master-lost",
    title: "Cluster: one of three masters killed, back with its data",
    leaves: "some",
    open: masterLost,
  },
  {
    name: "cluster-failover",
    title: "Cluster: one of three masters killed, replaced by its replica",
    leaves: "some",
    losses: 1,
    lastsMs: 1_500,
    open: masterReplaced,
  },
  {
    name: "cluster-slots-move",
    title: "Cluster: slots in use move (MOVED, ASK, TRYAGAIN)",
    leaves: "some",
    open: moving,
  },
];
