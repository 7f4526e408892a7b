// The door "tidegate/redis".

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
