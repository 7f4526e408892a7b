// What the sliding window, the log and calendar windows answer, step by step: [at in ms, cost, allowed, remaining,
// retry after ms, reset after ms].

import { calendarWindow, slidingLog, slidingWindow } from "tidegate";
import { DAY, HOUR, runSteps } from "./step-table.ts";

// Six units of the window before: one comes back every 10 seconds.
const counter = slidingWindow({ limit: 6, window: "1m" });

runSteps(
  "sliding window: what the window before took comes back bit by bit",
  [counter],
  [
    [0, 6, true, 0, 0, 120_000],
    [59_999, 1, false, 0, 10_001, 60_001],
    [60_000, 0, true, 0, 0, 60_000],
    [60_000, 1, false, 0, 10_000, 60_000],
    [69_999.999, 1, false, 0, 1, 50_001],
    [70_000, 1, true, 0, 0, 110_000],
    [75_000, 1, false, 0, 5_000, 105_000],
    [75_000, 5, false, 0, 45_000, 105_000],
    [75_000, 6, false, 0, 105_000, 105_000],
    [80_000, 1, true, 0, 0, 100_000],
    [119_999, 4, false, 3, 1, 60_001],
    [119_999, 3, true, 0, 0, 60_001],
    [120_000, 2, false, 1, 12_000, 60_000],
    [120_000, 1, true, 0, 0, 120_000],
    [240_000, 6, true, 0, 0, 120_000],
  ],
);

runSteps(
  "sliding window: a cost of 0 looks, a cost above the limit is never there",
  [counter],
  [
    [0, 0, true, 6, 0, 0],
    [0, 7, false, 6, null, 0],
    [0, 6, true, 0, 0, 120_000],
    [0, 0, true, 0, 0, 120_000],
    [60_000, 1_000_000_000, false, 0, null, 60_000],
  ],
);

runSteps(
  "sliding window: one less than twice the limit fits into a window's length",
  [counter],
  [
    [59_999, 6, true, 0, 0, 60_001],
    [119_998, 5, true, 0, 0, 60_002],
    [119_998, 1, false, 0, 2, 60_002],
  ],
);

runSteps(
  "sliding window: a clock that jitters at the boundary admits nothing twice",
  [counter],
  [
    [60_000, 6, true, 0, 0, 120_000],
    [59_990, 1, false, 0, 70_010, 120_010],
    [60_001, 1, false, 0, 69_999, 119_999],
    [130_000, 1, true, 0, 0, 110_000],
  ],
);

runSteps(
  "sliding window: a clock stepped back an hour takes its counts with it",
  [counter],
  [
    [3_600_000, 6, true, 0, 0, 120_000],
    [30_000, 1, false, 0, 40_000, 90_000],
    [70_000, 1, true, 0, 0, 110_000],
  ],
);

runSteps(
  "sliding window: a clock stepped forward two windows gives one limit, no more",
  [counter],
  [
    [0, 6, true, 0, 0, 120_000],
    [119_999, 5, true, 0, 0, 60_001],
    [240_000, 6, true, 0, 0, 120_000],
    [240_000, 1, false, 0, 70_000, 120_000],
  ],
);

const log = slidingLog({ limit: 3, window: "1m" });

runSteps(
  "sliding log: each unit comes back when it is a window old",
  [log],
  [
    [0, 1, true, 2, 0, 60_000],
    [10_000, 2, true, 0, 0, 60_000],
    [59_999, 1, false, 0, 1, 10_001],
    [59_999.999, 1, false, 0, 1, 10_001],
    [60_000, 1, true, 0, 0, 60_000],
    [60_000, 2, false, 0, 10_000, 60_000],
    [60_000, 3, false, 0, 60_000, 60_000],
    [70_000, 2, true, 0, 0, 60_000],
    [129_999, 3, false, 1, 1, 1],
    [130_000, 3, true, 0, 0, 60_000],
  ],
);

runSteps(
  "sliding log: a cost of 0 looks, a cost above the limit is never there",
  [log],
  [
    [0, 0, true, 3, 0, 0],
    [0, 4, false, 3, null, 0],
    [0, 3, true, 0, 0, 60_000],
    [0, 0, true, 0, 0, 60_000],
    [60_000, 0, true, 3, 0, 0],
  ],
);

runSteps(
  "sliding log: while a clock that was stepped back a little catches up, time stands still",
  [log],
  [
    [60_000, 2, true, 1, 0, 60_000],
    [59_000, 1, true, 0, 0, 61_000],
    [59_000, 1, false, 0, 61_000, 61_000],
    [119_999, 1, false, 0, 1, 1],
    [120_000, 3, true, 0, 0, 60_000],
  ],
);

runSteps(
  "sliding log: a clock stepped back an hour locks nobody out for longer than a window",
  [log],
  [
    [3_600_000, 2, true, 1, 0, 60_000],
    [3_610_000, 1, true, 0, 0, 60_000],
    [0, 1, false, 0, 60_000, 60_000],
    [59_999, 1, false, 0, 1, 1],
    [60_000, 3, true, 0, 0, 60_000],
  ],
);

runSteps(
  "sliding log: a clock stepped forward gives one limit, no more",
  [log],
  [
    [0, 3, true, 0, 0, 60_000],
    [3_600_000, 3, true, 0, 0, 60_000],
    [3_600_000, 1, false, 0, 60_000, 60_000],
  ],
);

// 2026-03-28T23:00Z and 2026-10-24T22:00Z, midnights in Berlin before the clocks change.
const SPRING = 27 * DAY + 23 * HOUR;
const AUTUMN = 237 * DAY + 22 * HOUR;

runSteps(
  "calendar window: days of 23 and of 25 hours",
  [calendarWindow({ limit: 3, per: "day", timeZone: "Europe/Berlin" })],
  [
    [SPRING - 1, 3, true, 0, 0, 1],
    [SPRING, 3, true, 0, 0, 23 * HOUR],
    [SPRING + 12 * HOUR, 1, false, 0, 11 * HOUR, 11 * HOUR],
    [SPRING + 23 * HOUR - 0.001, 1, false, 0, 1, 1],
    [SPRING + 23 * HOUR, 1, true, 2, 0, DAY],
    [AUTUMN, 2, true, 1, 0, 25 * HOUR],
    [AUTUMN + DAY, 2, false, 1, HOUR, HOUR],
    [AUTUMN + 25 * HOUR, 2, true, 1, 0, DAY],
  ],
);

runSteps(
  "calendar window: months of 31, 30, 28 and 29 days",
  [calendarWindow({ limit: 3, per: "month" })],
  [
    [0, 3, true, 0, 0, 31 * DAY],
    [31 * DAY - 1, 1, false, 0, 1, 1],
    [31 * DAY, 3, true, 0, 0, 30 * DAY],
    [61 * DAY - 1, 1, false, 0, 1, 1],
    [337 * DAY, 1, true, 2, 0, 28 * DAY],
    [365 * DAY, 1, true, 2, 0, 31 * DAY],
    [702 * DAY, 1, true, 2, 0, 29 * DAY],
  ],
);

runSteps(
  "calendar window: weeks begin on Monday",
  [calendarWindow({ limit: 3, per: "week" })],
  [
    [0, 3, true, 0, 0, DAY],
    [DAY, 3, true, 0, 0, 7 * DAY],
    [7 * DAY, 1, false, 0, DAY, DAY],
    [8 * DAY, 1, true, 2, 0, 7 * DAY],
  ],
);

const daily = calendarWindow({ limit: 3, per: "day" });

runSteps(
  "calendar window: a cost of 0 looks, a cost above the limit is never there",
  [daily],
  [
    [0, 0, true, 3, 0, 0],
    [0, 4, false, 3, null, 0],
    [0, 3, true, 0, 0, DAY],
    [0, 0, true, 0, 0, DAY],
  ],
);

runSteps(
  "calendar window: a clock that jitters at midnight admits nothing twice",
  [daily],
  [
    [DAY, 3, true, 0, 0, DAY],
    [DAY - 10, 1, false, 0, DAY + 10, DAY + 10],
    [DAY + 1, 1, false, 0, DAY - 1, DAY - 1],
    [2 * DAY, 3, true, 0, 0, DAY],
  ],
);

runSteps(
  "calendar window: a clock stepped back ten days takes its count with it, and forward gives one limit",
  [daily],
  [
    [10 * DAY, 3, true, 0, 0, DAY],
    [HOUR, 1, false, 0, 23 * HOUR, 23 * HOUR],
    [DAY, 1, true, 2, 0, DAY],
    [20 * DAY, 3, true, 0, 0, DAY],
    [20 * DAY, 1, false, 0, DAY, DAY],
  ],
);
