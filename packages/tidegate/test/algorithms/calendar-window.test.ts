// What a calendar window promises, beside the dates that the platform shows on the wall: at most the limit a day,
// week or month, days of 23 and 25 hours included, and so at most twice the limit in any span that is no longer than
// a window.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { calendarWindow, type Limit } from "tidegate";
import type { CalendarWindowLimit } from "../../src/algorithms/calendar-window.ts";
import { ZONES } from "../support/any-limit.ts";
import { createTestKey } from "../support/test-key.ts";
import { type Admission, busiestSpan, replay, trafficArbitrary } from "../support/traffic.ts";

type Period = "day" | "week" | "month";

const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;

/** No window of the zones here is shorter. */
const SHORTEST_US = { day: 23 * HOUR_US, week: 167 * HOUR_US, month: 671 * HOUR_US } as const;

/** Instants shortly before the clocks of a zone change, and before Februaries end. */
const STARTS = [
  "2024-02-27T12:00:00Z",
  "2023-02-26T12:00:00Z",
  "2024-03-09T12:00:00Z",
  "2024-03-30T12:00:00Z",
  "2024-04-05T12:00:00Z",
  "2024-10-04T12:00:00Z",
  "2024-10-26T12:00:00Z",
  "2024-11-01T12:00:00Z",
  "2024-12-30T12:00:00Z",
].map((iso) => Date.parse(iso) * 1_000);

const formats = new Map<string, Intl.DateTimeFormat>();

/** Names the date that a zone's wall clock shows, "2024-03-31". */
function dateOf(zone: string, us: number): string {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat("en-CA", { timeZone: zone });
  formats.set(zone, format);
  return format.format(Math.floor(us / 1_000));
}

/** Names the window of an instant. */
function windowOf(period: Period, zone: string, us: number): string {
  const date = dateOf(zone, us);
  if (period === "day") return date;
  if (period === "month") return date.slice(0, 7);
  // Weeks by their number from a Monday: 1970-01-05.
  return `week ${Math.floor((Date.parse(date) * 1_000 - 4 * DAY_US) / (7 * DAY_US))}`;
}

const ruleArbitrary = fc.record({
  limit: fc.integer({ min: 1, max: 10 }),
  per: fc.constantFrom("day" as Period, "week", "month"),
  timeZone: fc.constantFrom(...ZONES),
});

test("at most the limit per date, week or month on the wall; twice in any span that is no longer", () => {
  let beyond = 0;
  let odd = 0;
  fc.assert(
    fc.property(
      ruleArbitrary,
      fc.constantFrom(...STARTS),
      trafficArbitrary,
      (rule, start, traffic) => {
        const limit = calendarWindow(rule) as CalendarWindowLimit;
        const admitted = admissionsFrom(limit, start, traffic);
        const perWindow = new Map<string, number>();
        for (const { at, cost } of admitted) {
          const name = windowOf(rule.per, rule.timeZone, at);
          perWindow.set(name, (perWindow.get(name) ?? 0) + cost);
        }
        for (const [name, sum] of perWindow) assert.ok(sum <= rule.limit, `${sum} in ${name}`);
        const most = busiestSpan(admitted, SHORTEST_US[rule.per]);
        assert.ok(most <= 2 * rule.limit);
        if (most > rule.limit) beyond += 1;
        if (admitted.some(({ at }) => isOdd(limit, at))) odd += 1;
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(beyond > 40, `${beyond} histories had more than the limit in a window's length`);
  assert.ok(odd > 40, `${odd} histories took from windows in which the clocks change`);
});

/** Whether the window of an instant is not of whole days. */
function isOdd(limit: CalendarWindowLimit, us: number): boolean {
  const boundaries = limit.calendar.boundariesAround(us);
  return (boundaries[2]! - boundaries[1]!) % DAY_US !== 0;
}

function admissionsFrom(limit: Limit, start: number, traffic: Parameters<typeof replay>[0]) {
  const key = createTestKey([limit]);
  key.clock.setUs(start);
  const admitted: Admission[] = [];
  replay(traffic, limit, key.clock, (cost) => {
    if (key.check(cost).allowed) admitted.push({ at: key.clock.now(), cost });
  });
  return admitted;
}

/** Zone, period, a window's start and its end: the whole hours in it. */
const WINDOWS: [string, Period, string, string, number][] = [
  ["Europe/Berlin", "day", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z", 23],
  ["Europe/Berlin", "day", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z", 25],
  ["America/New_York", "day", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z", 23],
  ["America/New_York", "day", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z", 25],
  ["Australia/Lord_Howe", "day", "2024-04-06T13:00:00Z", "2024-04-07T13:30:00Z", 24.5],
  ["UTC", "day", "2024-06-01T00:00:00Z", "2024-06-02T00:00:00Z", 24],
  ["Europe/Berlin", "week", "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z", 167],
  ["America/New_York", "week", "2024-10-28T04:00:00Z", "2024-11-04T05:00:00Z", 169],
  ["UTC", "month", "2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z", 28 * 24],
  ["UTC", "month", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", 29 * 24],
  ["Europe/Berlin", "month", "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z", 31 * 24 - 1],
  ["Europe/Berlin", "month", "2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z", 31 * 24 + 1],
  ["UTC", "month", "2024-04-01T00:00:00Z", "2024-05-01T00:00:00Z", 30 * 24],
];

for (const [timeZone, per, start, end, hours] of WINDOWS) {
  test(`tight: the limit all through a ${per} of ${hours} hours in ${timeZone}, and again right after`, () => {
    const key = createTestKey([calendarWindow({ limit: 5, per, timeZone })]);
    const [startUs, endUs] = [Date.parse(start) * 1_000, Date.parse(end) * 1_000];
    assert.equal((endUs - startUs) / HOUR_US, hours, "the table's row");
    key.clock.setUs(startUs - 1);
    assert.ok(key.check(5).allowed, "the last of the window before");
    key.clock.setUs(startUs);
    const first = key.check(4);
    assert.ok(first.allowed, "nine within a microsecond");
    assert.equal(first.resetAfterMs, hours * 3_600_000);
    assert.equal(key.check(2).retryAfterMs, hours * 3_600_000);
    key.clock.setUs(endUs - 1);
    assert.ok(key.check(1).allowed);
    assert.equal(key.check(1).retryAfterMs, 1, "the last microsecond belongs to it");
    key.clock.setUs(endUs);
    assert.ok(key.check(5).allowed, "and the first after it does not");
    assert.equal(key.check(1).allowed, false);
  });
}
