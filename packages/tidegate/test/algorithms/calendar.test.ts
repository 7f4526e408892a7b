// Calendar windows: the days that clocks make odd, with instants worked out from the tz database by another program
// (Python's zoneinfo); then what must hold of every zone and instant, beside the offsets that Intl names.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CALENDAR_PERIODS,
  type CalendarPeriod,
  createCalendar,
  isTimeZone,
} from "../../src/algorithms/calendar.ts";

const SECOND_US = 1_000_000;
const HOUR_US = 3_600 * SECOND_US;
const DAY_US = 24 * HOUR_US;

const instant = (iso: string) => Date.parse(iso) * 1_000;

/** Zone, start and end of a window, its hours. */
type Window = [string, string, string, number];

const DAYS: Window[] = [
  // Spring and autumn.
  ["Europe/Berlin", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z", 23],
  ["Europe/Berlin", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z", 25],
  ["America/New_York", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z", 23],
  ["America/New_York", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z", 25],
  ["Australia/Lord_Howe", "2024-04-06T13:00:00Z", "2024-04-07T13:30:00Z", 24.5],
  ["Australia/Lord_Howe", "2024-10-05T13:30:00Z", "2024-10-06T13:00:00Z", 23.5],
  ["Africa/Casablanca", "2025-02-22T23:00:00Z", "2025-02-24T00:00:00Z", 25],
  // From 00:00 to 01:00: midnight is skipped, and the day before has its 24 hours.
  ["Africa/Cairo", "2024-04-24T22:00:00Z", "2024-04-25T22:00:00Z", 24],
  ["Africa/Cairo", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z", 23],
  ["Asia/Beirut", "2024-03-30T22:00:00Z", "2024-03-31T21:00:00Z", 23],
  ["America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", 24],
  ["America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", 23],
  ["America/Asuncion", "2023-10-01T04:00:00Z", "2023-10-02T03:00:00Z", 23],
  ["America/Havana", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z", 23],
  ["Asia/Kathmandu", "1985-12-31T18:30:00Z", "1986-01-01T18:15:00Z", 23.75],
  ["Africa/Monrovia", "1972-01-07T00:44:30Z", "1972-01-08T00:00:00Z", 23 + 15.5 / 60],
  // From 23:30 to 00:30: it takes from two days.
  ["America/Toronto", "1919-03-30T05:00:00Z", "1919-03-31T04:30:00Z", 23.5],
  ["America/Toronto", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z", 23.5],
  // From 24:00 to 23:00: the old day has the hour.
  ["Africa/Cairo", "2024-10-30T21:00:00Z", "2024-10-31T22:00:00Z", 25],
  ["Asia/Beirut", "2024-10-25T21:00:00Z", "2024-10-26T22:00:00Z", 25],
  ["America/Sao_Paulo", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", 25],
  // From 01:00 to 00:00, and from 00:01 to 23:01: midnight comes twice, the new day starts with the first.
  ["America/Havana", "2024-11-02T04:00:00Z", "2024-11-03T04:00:00Z", 24],
  ["America/Havana", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z", 25],
  ["America/St_Johns", "2006-10-28T02:30:00Z", "2006-10-29T02:30:00Z", 24],
  ["America/St_Johns", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z", 25],
  // Over the date line: a date that never was, and one that was nearly twice.
  ["Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", 24],
  ["Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", 24],
  ["Pacific/Kwajalein", "1969-09-29T13:00:00Z", "1969-10-01T12:00:00Z", 47],
  ["Pacific/Kwajalein", "1969-10-01T12:00:00Z", "1969-10-02T12:00:00Z", 24],
  // Nothing odd but the offset or the date.
  ["Asia/Kathmandu", "2024-06-30T18:15:00Z", "2024-07-01T18:15:00Z", 24],
  ["UTC", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z", 24],
  ["Europe/Berlin", "1999-12-30T23:00:00Z", "1999-12-31T23:00:00Z", 24],
];

const WEEKS: Window[] = [
  ["Europe/Berlin", "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z", 167],
  ["Europe/Berlin", "2024-10-20T22:00:00Z", "2024-10-27T23:00:00Z", 169],
  ["Europe/Berlin", "2024-12-29T23:00:00Z", "2025-01-05T23:00:00Z", 168],
  ["America/New_York", "2024-10-28T04:00:00Z", "2024-11-04T05:00:00Z", 169],
  ["Pacific/Apia", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z", 144],
  ["UTC", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z", 168],
];

const MONTHS: Window[] = [
  ["Europe/Berlin", "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z", 743],
  ["Europe/Berlin", "2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z", 745],
  ["Europe/Berlin", "2024-11-30T23:00:00Z", "2024-12-31T23:00:00Z", 744],
  ["Europe/Berlin", "1969-11-30T23:00:00Z", "1969-12-31T23:00:00Z", 744],
  ["Europe/Berlin", "1899-12-31T23:00:00Z", "1900-01-31T23:00:00Z", 744],
  ["America/New_York", "2023-02-01T05:00:00Z", "2023-03-01T05:00:00Z", 672],
  ["America/New_York", "2024-02-01T05:00:00Z", "2024-03-01T05:00:00Z", 696],
  ["UTC", "2000-02-01T00:00:00Z", "2000-03-01T00:00:00Z", 696],
  ["UTC", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z", 672],
  ["Asia/Tokyo", "2126-01-31T15:00:00Z", "2126-02-28T15:00:00Z", 672],
  // The first midnight of the month is skipped.
  ["Asia/Amman", "2011-03-31T22:00:00Z", "2011-04-30T21:00:00Z", 719],
  ["America/Asuncion", "2023-10-01T04:00:00Z", "2023-11-01T03:00:00Z", 743],
  // A date in it is skipped, the second time its last.
  ["Pacific/Apia", "2011-12-01T10:00:00Z", "2011-12-31T10:00:00Z", 720],
  ["Pacific/Kiritimati", "1994-12-01T10:00:00Z", "1994-12-31T10:00:00Z", 720],
];

const TABLES: Readonly<Record<CalendarPeriod, Window[]>> = {
  day: DAYS,
  week: WEEKS,
  month: MONTHS,
};

for (const period of CALENDAR_PERIODS) {
  test(`${period}s that clocks and calendars make odd`, () => {
    for (const [zone, start, end, hours] of TABLES[period]) {
      const [startUs, endUs] = [instant(start), instant(end)];
      assert.equal((endUs - startUs) / HOUR_US, hours, `the table's row ${zone} ${start}`);
      for (const nowUs of [startUs, startUs + 1, (startUs + endUs) / 2, endUs - 1]) {
        const seen = createCalendar(period, zone).boundariesAround(nowUs);
        assert.deepEqual(iso(seen.slice(1, 3)), iso([startUs, endUs]), `${zone} at ${nowUs}`);
      }
      const after = createCalendar(period, zone).boundariesAround(endUs);
      assert.deepEqual(iso(after.slice(0, 2)), iso([startUs, endUs]), `${zone} after ${end}`);
    }
  });
}

function iso(instants: Iterable<number>): string[] {
  return Array.from(instants, (us) => new Date(us / 1_000).toISOString());
}

const ZONES = Intl.supportedValuesOf("timeZone");

/** Any zone at any instant, or the zones of the tables near the windows there. */
const placeArbitrary = fc.oneof(
  fc.record({
    zone: fc.constantFrom(...ZONES),
    nowUs: fc.integer({ min: instant("1900-01-01"), max: instant("2200-01-01") }),
  }),
  fc
    .tuple(
      fc.constantFrom(...DAYS, ...WEEKS, ...MONTHS),
      fc.oneof(
        fc.integer({ min: -3 * DAY_US, max: 3 * DAY_US }),
        fc.integer({ min: -5, max: 5 }).map((halves) => halves * 1_800 * SECOND_US),
      ),
    )
    .map(([[zone, , end], aside]) => ({ zone, nowUs: instant(end) + aside })),
);

function everywhere(holds: (period: CalendarPeriod, zone: string, nowUs: number) => void) {
  fc.assert(
    fc.property(fc.constantFrom(...CALENDAR_PERIODS), placeArbitrary, (period, { zone, nowUs }) =>
      holds(period, zone, nowUs),
    ),
    { numRuns: 600 },
  );
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The wall clock of a zone in microseconds, by the offset that Intl names: "GMT-00:44:30". */
function wallUs(zone: string, us: number): number {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  formats.set(zone, format);
  const [, sign, hours = "0", minutes = "0", seconds = "0"] =
    /GMT(?:(.)(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(Math.floor(us / 1_000))) ?? [];
  const offset = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return us + (sign === "+" ? offset : -offset) * SECOND_US;
}

const LENGTHS_DAYS: Readonly<Record<CalendarPeriod, readonly [number, number]>> = {
  day: [1, 1],
  week: [7, 7],
  month: [28, 31],
};

test("the second window holds the instant; all are as long as their name says, give or take a transition", () => {
  everywhere((period, zone, nowUs) => {
    const boundaries = createCalendar(period, zone).boundariesAround(nowUs);
    assert.ok(boundaries[1]! <= nowUs && nowUs < boundaries[2]!);
    const [least, most] = LENGTHS_DAYS[period];
    for (let index = 1; index < 5; index += 1) {
      const lengthUs = boundaries[index]! - boundaries[index - 1]!;
      assert.ok(lengthUs > 0);
      assert.ok(lengthUs >= least * DAY_US - 25 * HOUR_US, `${lengthUs}`);
      assert.ok(lengthUs <= most * DAY_US + 25 * HOUR_US, `${lengthUs}`);
    }
  });
});

test("windows tile: asked about its neighbours, a calendar answers with the same boundaries", () => {
  everywhere((period, zone, nowUs) => {
    const calendar = createCalendar(period, zone);
    const here = [...calendar.boundariesAround(nowUs)];
    assert.deepEqual([...calendar.boundariesAround(here[2]!)].slice(0, 4), here.slice(1));
    assert.deepEqual([...calendar.boundariesAround(here[1]! - 1)].slice(1), here.slice(0, 4));
    assert.deepEqual([...calendar.boundariesAround(here[2]! - 1)], here);
    assert.deepEqual([...calendar.boundariesAround(here[3]!)].slice(0, 3), here.slice(2));
  });
});

test("a window starts when the wall clock first shows 00:00 of its first date, or skips it", () => {
  everywhere((period, zone, nowUs) => {
    for (const startUs of createCalendar(period, zone).boundariesAround(nowUs)) {
      const shownUs = wallUs(zone, startUs);
      const midnightUs = Math.floor(shownUs / DAY_US) * DAY_US;
      const secondBefore = wallUs(zone, startUs - SECOND_US);
      const skipped = secondBefore < midnightUs && shownUs - secondBefore > SECOND_US;
      assert.ok(shownUs === midnightUs || skipped, `${new Date(shownUs / 1_000).toJSON()}`);
      for (let earlier = startUs - 26 * HOUR_US; earlier < startUs; earlier += HOUR_US / 4) {
        assert.ok(wallUs(zone, earlier) < midnightUs, "shown before");
      }
      const date = new Date(midnightUs / 1_000);
      if (period === "week") assert.equal(date.getUTCDay(), 1);
      if (period === "month") assert.equal(date.getUTCDate(), 1);
    }
  });
});

test("a day of UTC is 86,400 seconds from the epoch on", () => {
  const calendar = createCalendar("day", "UTC");
  fc.assert(
    fc.property(fc.maxSafeInteger(), (nowUs) => {
      const start = Math.floor(nowUs / DAY_US) * DAY_US;
      const expected = [-1, 0, 1, 2, 3].map((days) => start + days * DAY_US);
      assert.deepEqual([...calendar.boundariesAround(nowUs)], expected);
    }),
  );
});

test("one array is answered within a window, and is left alone when another is asked for", () => {
  const calendar = createCalendar("day", "Europe/Berlin");
  const first = calendar.boundariesAround(instant("2024-03-31T12:00:00Z"));
  const copy = [...first];
  assert.equal(calendar.boundariesAround(first[1]!), first);
  assert.equal(calendar.boundariesAround(first[2]! - 1), first);
  const second = calendar.boundariesAround(first[2]!);
  assert.notEqual(second, first);
  assert.deepEqual([...first], copy);
  assert.equal(calendar.boundariesAround(second[1]!), second);
  assert.deepEqual([...calendar.boundariesAround(first[1]!)], copy);
});

test("no instant: refused, also after an answer", () => {
  const calendar = createCalendar("month", "UTC");
  for (const nowUs of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 60]) {
    assert.throws(() => calendar.boundariesAround(nowUs), RangeError);
    calendar.boundariesAround(0);
  }
});

test("time zones: every name of the platform, in any case; neither offsets nor abbreviations", () => {
  for (const zone of ZONES) assert.ok(isTimeZone(zone), zone);
  for (const zone of ["UTC", "utc", "GMT", "Etc/UTC", "Etc/GMT+5", "CET", "Asia/Kolkata", "Cuba"]) {
    assert.ok(isTimeZone(zone), zone);
  }
  const refused = [
    "",
    "+02:00",
    "-0200",
    "+02",
    "\u221202:00",
    "UTC+1",
    "Z",
    "PST",
    "bst",
    "local",
  ];
  for (const value of [...refused, "Europe/Atlantis", " UTC", "Europe/Berlin ", "Factory"]) {
    assert.ok(!isTimeZone(value), value);
  }
  for (const value of [undefined, null, 0, {}, ["UTC"]]) assert.ok(!isTimeZone(value));
  const nowUs = instant("2024-03-31T12:00:00Z");
  const [lower, proper] = ["europe/berlin", "Europe/Berlin"].map((zone) =>
    createCalendar("week", zone).boundariesAround(nowUs),
  );
  assert.deepEqual(lower, proper);
});
