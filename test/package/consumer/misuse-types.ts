// Must not type-check, with exactly the two errors that the test names: the declarations are more than `any`.

import { createLimiter, tokenBucket } from "tidegate";

createLimiter({
  policies: { api: { limits: [tokenBucket({ capacity: "100", refill: "10/s" })] } },
});
createLimiter({});
