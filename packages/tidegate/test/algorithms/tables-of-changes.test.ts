// What is answered where a limit is changed midway, step by step: what a raised one has more is there at once, a
// lowered one denies until enough has come back, and units in use are carried over to another algorithm.

import {
  calendarWindow,
  concurrency,
  fixedWindow,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { DAY, HOUR, runPermitSteps, runSteps } from "./step-table.ts";

const bucket = (capacity: number) => tokenBucket({ capacity, refill: "1/s" });

runSteps(
  "token bucket: raised, then lowered",
  [bucket(3)],
  [
    [0, 3, true, 0, 0, 3_000],
    [bucket(5)],
    [0, 2, true, 0, 0, 5_000],
    [bucket(2)],
    [1_000, 1, false, 0, 3_000, 4_000],
    [3_999, 1, false, 0, 1, 1_001],
    [4_000, 1, true, 0, 0, 2_000],
  ],
);

const queue = (places: number) => leakyBucket({ queue: places, rate: "1/s" });

runSteps(
  "leaky bucket: raised, then lowered",
  [queue(2)],
  [
    [0, 3, true, 0, 0, 3_000],
    [queue(4)],
    [0, 1, true, 1, 0, 4_000, 3_000],
    [queue(0)],
    [0, 1, false, 0, 4_000, 4_000],
    [4_000, 1, true, 0, 0, 1_000],
  ],
);

const minutely = (limit: number) => fixedWindow({ limit, window: "1m" });

runSteps(
  "fixed window: raised, then lowered",
  [minutely(3)],
  [
    [30_000, 3, true, 0, 0, 30_000],
    [minutely(5)],
    [30_000, 2, true, 0, 0, 30_000],
    [minutely(2)],
    [45_000, 1, false, 0, 15_000, 15_000],
    [60_000, 2, true, 0, 0, 60_000],
  ],
);

const counter = (limit: number) => slidingWindow({ limit, window: "1m" });

runSteps(
  "sliding window: raised, then lowered",
  [counter(6)],
  [
    [0, 6, true, 0, 0, 120_000],
    [counter(8)],
    [0, 2, true, 0, 0, 120_000],
    [counter(4)],
    [60_000, 1, false, 0, 37_500, 60_000],
    [97_500, 1, true, 0, 0, 82_500],
  ],
);

const log = (limit: number) => slidingLog({ limit, window: "1m" });

runSteps(
  "sliding log: raised, then lowered",
  [log(3)],
  [
    [0, 3, true, 0, 0, 60_000],
    [log(5)],
    [10_000, 2, true, 0, 0, 60_000],
    [log(2)],
    [20_000, 1, false, 0, 50_000, 50_000],
    [60_000, 1, false, 0, 10_000, 10_000],
    [70_000, 2, true, 0, 0, 60_000],
  ],
);

const daily = (limit: number) => calendarWindow({ limit, per: "day" });

runSteps(
  "calendar window: raised, then lowered",
  [daily(3)],
  [
    [HOUR, 3, true, 0, 0, 23 * HOUR],
    [daily(5)],
    [HOUR, 2, true, 0, 0, 23 * HOUR],
    [daily(2)],
    [2 * HOUR, 1, false, 0, 22 * HOUR, 22 * HOUR],
    [DAY, 2, true, 0, 0, DAY],
  ],
);

const jobs = (limit: number, lease = "30s") => concurrency({ limit, lease });

runPermitSteps(
  "concurrency: raised, then lowered, and with a shorter lease, which those have that are taken from then on",
  [jobs(3)],
  [
    [0, "acquire", "a", 3, true, 0, 0, 30_000],
    [jobs(5)],
    [0, "acquire", "b", 2, true, 0, 0, 30_000],
    [jobs(2, "10s")],
    [1_000, "acquire", "c", 1, false, 0, 29_000, 29_000],
    [1_000, "release", "a", 0, true, 0, 0, 29_000],
    [1_000, "acquire", "c", 1, false, 0, 29_000, 29_000],
    [1_000, "extend", "b", 0, true, 0, 0, 10_000],
    [11_000, "acquire", "c", 2, true, 0, 0, 10_000],
  ],
);

runPermitSteps(
  "concurrency: a permit of a shorter lease is back before those of a longer one, which are not forgotten",
  [jobs(3)],
  [
    [0, "acquire", "a", 1, true, 2, 0, 30_000],
    [jobs(3, "10s")],
    [0, "acquire", "b", 2, true, 0, 0, 30_000],
    [0, "acquire", "c", 1, false, 0, 10_000, 30_000],
    [0, "acquire", "c", 3, false, 0, 30_000, 30_000],
    [10_000, "acquire", "c", 1, true, 1, 0, 20_000],
    [jobs(3, "60s")],
    [10_000, "extend", "c", 0, true, 1, 0, 60_000],
    [30_000, "acquire", "d", 3, false, 2, 40_000, 40_000],
    [69_999, "acquire", "d", 3, false, 2, 1, 1],
    [70_000, "acquire", "d", 3, true, 0, 0, 60_000],
  ],
);

runSteps(
  "another algorithm: units in use stay in use, from each to the next",
  [minutely(10)],
  [
    [0, 6, true, 4, 0, 60_000],
    [counter(10)],
    [0, 0, true, 4, 0, 120_000],
    [log(10)],
    [0, 0, true, 4, 0, 60_000],
    [bucket(10)],
    [0, 0, true, 4, 0, 6_000],
    [queue(9)],
    [0, 0, true, 4, 0, 6_000, 6_000],
    [daily(10)],
    [0, 0, true, 4, 0, DAY],
    [minutely(10)],
    [0, 5, false, 4, 60_000, 60_000],
    [0, 4, true, 0, 0, 60_000],
  ],
);

runSteps(
  "another algorithm: what is partly back counts as in use, and what is over does not",
  [bucket(10)],
  [
    [0, 6, true, 4, 0, 6_000],
    [500, 0, true, 4, 0, 5_500],
    [minutely(10)],
    [2_500, 0, true, 6, 0, 57_500],
    [counter(10)],
    [2_500, 0, true, 6, 0, 117_500],
    [62_500, 0, true, 6, 0, 57_500],
    [90_000, 0, true, 8, 0, 30_000],
    [log(10)],
    [90_000, 0, true, 8, 0, 60_000],
    [bucket(10)],
    [150_000, 0, true, 10, 0, 0],
  ],
);

runSteps(
  "another window: units in use stay in use in the new one",
  [minutely(3)],
  [
    [30_000, 3, true, 0, 0, 30_000],
    [fixedWindow({ limit: 5, window: "1h" })],
    [30_000, 2, true, 0, 0, HOUR - 30_000],
    [minutely(3)],
    [60_000, 1, false, 0, 60_000, 60_000],
    [120_000, 3, true, 0, 0, 60_000],
  ],
);

runSteps(
  "another list: limits are matched by their place, and those that are new start unused",
  [bucket(10)],
  [
    [0, 6, true, 4, 0, 6_000],
    [minutely(8), daily(100)],
    [0, 2, true, 0, 0, 60_000],
    [daily(100)],
    [0, 0, true, 92, 0, DAY],
  ],
);
