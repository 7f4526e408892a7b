// What token buckets and fixed windows answer, step by step: [at in ms, cost, allowed, remaining, retry after ms, reset
// after ms]. The other algorithms' tables are beside this.

import { fixedWindow, tokenBucket } from "tidegate";
import { runSteps } from "./step-table.ts";

const bucket = tokenBucket({ capacity: 3, refill: "1/s" });

runSteps(
  "token bucket: a burst, then one each second",
  [bucket],
  [
    [0, 1, true, 2, 0, 1_000],
    [0, 1, true, 1, 0, 2_000],
    [0, 1, true, 0, 0, 3_000],
    [0, 1, false, 0, 1_000, 3_000],
    [999, 1, false, 0, 1, 2_001],
    [1_000, 1, true, 0, 0, 3_000],
    [4_000, 3, true, 0, 0, 3_000],
    [5_500, 2, false, 1, 500, 1_500],
    [6_000, 2, true, 0, 0, 3_000],
  ],
);

runSteps(
  "token bucket: full again after its time, and never above full",
  [bucket],
  [
    [0, 3, true, 0, 0, 3_000],
    [3_000, 3, true, 0, 0, 3_000],
    [900_000, 3, true, 0, 0, 3_000],
    [900_000, 1, false, 0, 1_000, 3_000],
  ],
);

runSteps(
  "token bucket: a cost of 0 looks, a cost above the capacity is never there",
  [bucket],
  [
    [0, 0, true, 3, 0, 0],
    [0, 4, false, 3, null, 0],
    [0, 2, true, 1, 0, 2_000],
    [0, 0, true, 1, 0, 2_000],
    [0, 1_000_000_000, false, 1, null, 2_000],
    [0, 1, true, 0, 0, 3_000],
    [0, 0, true, 0, 0, 3_000],
  ],
);

runSteps(
  "token bucket: a clock stepped back locks nobody out for longer than a refill",
  [bucket],
  [
    [7_200_000, 1, true, 2, 0, 1_000],
    [7_199_500, 1, true, 0, 0, 2_500],
    [0, 1, false, 0, 1_000, 3_000],
    [999, 1, false, 0, 1, 2_001],
    [1_000, 1, true, 0, 0, 3_000],
  ],
);

runSteps(
  "token bucket: a clock stepped forward gives one full bucket, no more",
  [bucket],
  [
    [0, 3, true, 0, 0, 3_000],
    [3_600_000, 3, true, 0, 0, 3_000],
    [3_600_000, 1, false, 0, 1_000, 3_000],
  ],
);

runSteps(
  "token bucket: a million a second",
  [tokenBucket({ capacity: 1_000_000, refill: "1000000/s" })],
  [
    [0, 1_000_000, true, 0, 0, 1_000],
    [0, 1, false, 0, 1, 1_000],
    [0.001, 1, true, 0, 0, 1_000],
    [0.002, 2, false, 1, 1, 1_000],
    [500.002, 500_001, true, 0, 0, 1_000],
  ],
);

runSteps(
  "token bucket: one a month",
  [tokenBucket({ capacity: 1, refill: "1/30d" })],
  [
    [0, 1, true, 0, 0, 2_592_000_000],
    [1, 1, false, 0, 2_591_999_999, 2_591_999_999],
    [2_591_999_999, 1, false, 0, 1, 1],
    [2_592_000_000, 1, true, 0, 0, 2_592_000_000],
  ],
);

runSteps(
  "token bucket: three a second is exact after a third of a second",
  [tokenBucket({ capacity: 2, refill: "3/s" })],
  [
    [0, 2, true, 0, 0, 667],
    [333.333, 1, false, 0, 1, 334],
    [333.334, 1, true, 0, 0, 667],
    [666.666, 1, false, 0, 1, 334],
    [666.667, 1, true, 0, 0, 667],
    [1_000, 1, true, 0, 0, 667],
  ],
);

const window = fixedWindow({ limit: 3, window: "1m" });

runSteps(
  "fixed window: at most the limit from one boundary to the next",
  [window],
  [
    [30_000, 2, true, 1, 0, 30_000],
    [30_000, 2, false, 1, 30_000, 30_000],
    [59_999, 1, true, 0, 0, 1],
    [59_999.999, 1, false, 0, 1, 1],
    [60_000, 3, true, 0, 0, 60_000],
    [119_999, 1, false, 0, 1, 1],
    [120_000, 1, true, 2, 0, 60_000],
  ],
);

runSteps(
  "fixed window: a cost of 0 looks, a cost above the limit is never there",
  [window],
  [
    [0, 0, true, 3, 0, 0],
    [0, 4, false, 3, null, 0],
    [0, 3, true, 0, 0, 60_000],
    [0, 0, true, 0, 0, 60_000],
  ],
);

runSteps(
  "fixed window: a clock that jitters at the boundary admits nothing twice",
  [window],
  [
    [60_000, 3, true, 0, 0, 60_000],
    [59_990, 1, false, 0, 60_010, 60_010],
    [60_001, 1, false, 0, 59_999, 59_999],
  ],
);

runSteps(
  "fixed window: a clock stepped back an hour locks nobody out for longer than a window",
  [window],
  [
    [3_600_000, 3, true, 0, 0, 60_000],
    [30_000, 1, false, 0, 30_000, 30_000],
    [60_000, 1, true, 2, 0, 60_000],
  ],
);

runSteps(
  "two limits: all or nothing, and the one that bound is told",
  [bucket, fixedWindow({ limit: 4, window: "1m" })],
  [
    [0, 3, true, 0, 0, 3_000],
    [0, 1, false, 0, 1_000, 3_000],
    [3_000, 2, false, 1, 57_000, 57_000],
    [3_000, 1, true, 0, 0, 57_000],
    [4_000, 1, false, 0, 56_000, 56_000],
    [4_000, 4, false, 3, null, 0],
    [60_000, 3, true, 0, 0, 3_000],
  ],
);
