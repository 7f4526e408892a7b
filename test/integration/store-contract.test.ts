// One contract, over every store and every client.

import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { memoryStore } from "tidegate";
import { type RedisClient, redisStore } from "tidegate/redis";
import { startRedis, startRedisCluster, withoutRedis } from "../support/redis-server.ts";
import { type StoreUnderTest, storeContract } from "./store-contract.ts";

const options = { skip: withoutRedis };

storeContract(
  "memory",
  async () => {
    const store = memoryStore();
    return { createStore: () => store, close: async () => {} };
  },
  { skip: false },
);

storeContract(
  "Redis by URL",
  onServer((url) => ({ url })),
  options,
);

storeContract(
  "Redis with a client of ioredis",
  onServer((url) => {
    const client = new Redis(url);
    return { client, close: () => client.disconnect() };
  }),
  options,
);

storeContract(
  "Redis with a client of redis",
  onServer(async (url) => {
    const client = createClient({ url });
    await client.connect();
    return { client, close: () => client.destroy() };
  }),
  options,
);

storeContract(
  "Redis Cluster by URL",
  onCluster((url) => ({ url })),
  options,
);

storeContract(
  "Redis Cluster with a client of ioredis",
  onCluster((_url, ports) => {
    const client = new Cluster(ports.map((port) => ({ host: "127.0.0.1", port })));
    return { client, close: () => client.disconnect() };
  }),
  options,
);

storeContract(
  "Redis Cluster with a client of redis",
  onCluster(async (_url, ports) => {
    const rootNodes = ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
    const client = createCluster({ rootNodes });
    await client.connect();
    return { client, close: () => client.destroy() };
  }),
  options,
);

/** How a test reaches Redis: by its URL, or with one client for all its stores. */
type Access = { url: string } | { client: RedisClient; close(): void };

function createStoreFor(access: Access) {
  return "url" in access ? redisStore({ url: access.url }) : redisStore({ client: access.client });
}

function onServer(accessTo: (url: string) => Access | Promise<Access>) {
  return async (): Promise<StoreUnderTest> => {
    const server = await startRedis();
    const access = await accessTo(server.url);
    return {
      createStore: () => createStoreFor(access),
      async close() {
        if ("close" in access) access.close();
        await server.stop();
      },
    };
  };
}

function onCluster(accessTo: (url: string, ports: number[]) => Access | Promise<Access>) {
  return async (): Promise<StoreUnderTest> => {
    const cluster = await startRedisCluster();
    const access = await accessTo(
      cluster.url,
      cluster.nodes.map(({ port }) => port),
    );
    return {
      createStore: () => createStoreFor(access),
      async close() {
        if ("close" in access) access.close();
        await cluster.stop();
      },
    };
  };
}
