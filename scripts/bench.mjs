// `npm run bench -- ARGS`: the benchmarks, with the redis-server that `npm test` takes as well.

import { runWithRedis } from "./shared/run-with-redis.mjs";

runWithRedis("bench/src/main.ts", "The benchmarks");
