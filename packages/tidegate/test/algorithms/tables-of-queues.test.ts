// What the leaky bucket answers, step by step: [at in ms, cost, allowed, remaining, retry after ms, reset after ms,
// delay in ms]; and concurrency: [at in ms, what, permit, units, done, remaining, retry after ms, reset after ms].

import { concurrency, leakyBucket } from "tidegate";
import { runPermitSteps, runSteps } from "./step-table.ts";

const queue = leakyBucket({ queue: 2, rate: "1/s" });

runSteps(
  "leaky bucket: one goes, two wait, the next is denied",
  [queue],
  [
    [0, 1, true, 2, 0, 1_000],
    [0, 1, true, 1, 0, 2_000, 1_000],
    [0, 1, true, 0, 0, 3_000, 2_000],
    [0, 1, false, 0, 1_000, 3_000],
    [999, 1, false, 0, 1, 2_001],
    [1_000, 1, true, 0, 0, 3_000, 2_000],
    [3_500, 1, true, 1, 0, 1_500, 500],
    [10_000, 1, true, 2, 0, 1_000],
  ],
);

runSteps(
  "leaky bucket: units of one request go together, and what comes after them waits for all of them",
  [queue],
  [
    [0, 2, true, 1, 0, 2_000],
    [0, 1, true, 0, 0, 3_000, 2_000],
    [1_000, 2, false, 1, 1_000, 2_000],
    [2_000, 2, true, 0, 0, 3_000, 1_000],
    [5_000, 3, true, 0, 0, 3_000],
    [5_000, 1, false, 0, 1_000, 3_000],
  ],
);

runSteps(
  "leaky bucket: a cost of 0 is told when one more would go, a cost above queue and one is never there",
  [queue],
  [
    [0, 0, true, 3, 0, 0],
    [0, 4, false, 3, null, 0],
    [0, 3, true, 0, 0, 3_000],
    [0, 0, true, 0, 0, 3_000, 3_000],
    [1_500, 0, true, 1, 0, 1_500, 1_500],
    [1_500, 1_000_000_000, false, 1, null, 1_500],
  ],
);

runSteps(
  "leaky bucket: without a queue a request goes at once or not at all",
  [leakyBucket({ queue: 0, rate: "1/s" })],
  [
    [0, 1, true, 0, 0, 1_000],
    [0, 1, false, 0, 1_000, 1_000],
    [999, 1, false, 0, 1, 1],
    [1_000, 1, true, 0, 0, 1_000],
  ],
);

runSteps(
  "leaky bucket: three a second are spaced by exact thirds",
  [leakyBucket({ queue: 3, rate: "3/s" })],
  [
    [0, 1, true, 3, 0, 334],
    [0, 1, true, 2, 0, 667, 334],
    [0, 1, true, 1, 0, 1_000, 667],
    [0, 1, true, 0, 0, 1_334, 1_000],
    [333.333, 1, false, 0, 1, 1_001],
    [333.334, 1, true, 0, 0, 1_334, 1_000],
  ],
);

runSteps(
  "leaky bucket: a clock stepped back leaves a full queue at most",
  [queue],
  [
    [7_200_000, 1, true, 2, 0, 1_000],
    [7_199_500, 1, true, 0, 0, 2_500, 1_500],
    [0, 1, false, 0, 1_000, 3_000],
    [1_000, 1, true, 0, 0, 3_000, 2_000],
  ],
);

runSteps(
  "leaky bucket: a clock stepped forward leaves an empty queue, no more",
  [queue],
  [
    [0, 3, true, 0, 0, 3_000],
    [3_600_000, 3, true, 0, 0, 3_000],
    [3_600_000, 1, false, 0, 1_000, 3_000],
  ],
);

const jobs = concurrency({ limit: 3, lease: "30s" });

runPermitSteps(
  "concurrency: held until released or lost, and each for a lease from when it was taken or extended",
  [jobs],
  [
    [0, "acquire", "a", 1, true, 2, 0, 30_000],
    [0, "acquire", "b", 2, true, 0, 0, 30_000],
    [0, "acquire", "c", 1, false, 0, 30_000, 30_000],
    [10_000, "extend", "a", 0, true, 0, 0, 30_000],
    [10_000, "acquire", "c", 1, false, 0, 20_000, 30_000],
    [10_000, "acquire", "c", 3, false, 0, 30_000, 30_000],
    [12_000, "release", "b", 0, true, 2, 0, 28_000],
    [12_000, "release", "b", 0, false, 2, 0, 28_000],
    [12_000, "acquire", "c", 2, true, 0, 0, 30_000],
    [39_999.999, "acquire", "d", 1, false, 0, 1, 2_001],
    [40_000, "extend", "a", 0, false, 1, 0, 2_000],
    [40_000, "acquire", "d", 1, true, 0, 0, 30_000],
    [42_000, "acquire", "e", 2, true, 0, 0, 30_000],
  ],
);

runPermitSteps(
  "concurrency: a permit that is held is not taken again; more than the limit is never there",
  [jobs],
  [
    [0, "acquire", "a", 4, false, 3, null, 0],
    [0, "acquire", "a", 2, true, 1, 0, 30_000],
    [5_000, "acquire", "a", 2, true, 1, 0, 25_000],
    [5_000, "release", "z", 0, false, 1, 0, 25_000],
    [5_000, "extend", "z", 0, false, 1, 0, 25_000],
    [5_000, "release", "a", 0, true, 3, 0, 0],
    [5_000, "acquire", "a", 3, true, 0, 0, 30_000],
    [5_000, "acquire", "b", 1_000_000_000, false, 0, null, 30_000],
  ],
);

runPermitSteps(
  "concurrency: a clock stepped back by any time leaves a lease at most",
  [jobs],
  [
    [3_600_000, "acquire", "a", 2, true, 1, 0, 30_000],
    [3_599_000, "acquire", "b", 1, true, 0, 0, 30_000],
    [3_599_000, "acquire", "c", 1, false, 0, 30_000, 30_000],
    [0, "acquire", "c", 1, false, 0, 30_000, 30_000],
    [0, "extend", "a", 0, true, 0, 0, 30_000],
    [29_999, "acquire", "c", 1, false, 0, 1, 1],
    [30_000, "acquire", "c", 3, true, 0, 0, 30_000],
  ],
);

runPermitSteps(
  "concurrency: a clock stepped forward ends the leases, and gives one limit",
  [jobs],
  [
    [0, "acquire", "a", 3, true, 0, 0, 30_000],
    [3_600_000, "extend", "a", 0, false, 3, 0, 0],
    [3_600_000, "acquire", "b", 3, true, 0, 0, 30_000],
    [3_600_000, "acquire", "c", 1, false, 0, 30_000, 30_000],
  ],
);
