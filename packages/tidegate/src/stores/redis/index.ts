// The door "tidegate/redis".

export {
  type RedisRegistry,
  type RedisRegistryOptions,
  redisRegistry,
} from "../../peers-redis/redis-registry.ts";
export { type RedisTransportOptions, redisTransport } from "../../peers-redis/redis-transport.ts";
export type {
  IoredisLike,
  NodeRedisClusterLike,
  NodeRedisLike,
  NodeRedisSentinelLike,
  RedisClient,
} from "./client.ts";
export type { HashTag } from "./key.ts";
export { type RedisStoreOptions, redisStore } from "./redis-store.ts";
export { parseRedisUrl, type RedisAddress, redactRedisUrl } from "./redis-url.ts";
