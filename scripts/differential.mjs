// `npm run differential -- HISTORIES [ALGORITHM] [SEED]`: holds memory and a real Redis equal over as many random
// histories of each algorithm as are asked for, for example 1000000. A failure prints what replays it.

import { runWithRedis } from "./shared/run-with-redis.mjs";

runWithRedis("test/differential/main.ts", "The histories");
