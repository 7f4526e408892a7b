// Reads the instants that logs write, as milliseconds since the epoch.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?$/i;
const COMMON = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})$/;
const NUMBER = /^\d{1,19}(\.\d+)?$/;

/** What `parseInstant` reads, for messages. */
export const INSTANTS =
  'such as "2026-01-31T12:00:00.5Z", "31/Jan/2026:12:00:00 +0000", or seconds, milliseconds, microseconds or ' +
  "nanoseconds since 1970";

/** Returns milliseconds, with fractions; undefined where it is no instant. Without an offset it is one of UTC. */
export function parseInstant(value: unknown): number | undefined {
  if (typeof value === "number") return fromNumber(value);
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (NUMBER.test(text)) return fromNumber(Number(text));
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, year, month, day, hour, minute, second = "0", fraction = "0", offset = "Z"] = iso;
    const time = [hour, minute, second].map(Number);
    const ms = Number(`0.${fraction}`) * 1_000;
    return fromParts([Number(year), Number(month), Number(day)], time, offset, ms);
  }
  const common = COMMON.exec(text);
  if (common === null) return undefined;
  const [, day, month, year, hour, minute, second, offset] = common;
  const date = [Number(year), MONTHS.indexOf(month!) + 1, Number(day)];
  return fromParts(date, [hour, minute, second].map(Number), offset!, 0);
}

/** Seconds until the year 5138, and from 1973 on the smaller units, cannot be mistaken for each other. */
function fromNumber(value: number): number | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  if (value < 1e11) return value * 1_000;
  if (value < 1e14) return value;
  return value < 1e17 ? value / 1e3 : value / 1e6;
}

function fromParts(
  [year, month, day]: readonly number[],
  [hour, minute, second]: readonly number[],
  offset: string,
  ms: number,
): number | undefined {
  const isRight =
    month! >= 1 && month! <= 12 && day! >= 1 && day! <= 31 && hour! <= 23 && minute! <= 59;
  // A leap second is written as the sixtieth.
  if (!isRight || second! > 60) return undefined;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(offset) ?? [];
  const aheadMinutes =
    sign === undefined ? 0 : Number(`${sign}1`) * (60 * Number(hours) + Number(minutes));
  const wholeMinutes = (daysSinceEpoch(year!, month!, day!) * 24 + hour!) * 60 + minute!;
  return (wholeMinutes - aheadMinutes) * 60_000 + second! * 1_000 + ms;
}

/** Days of the Gregorian calendar. Source: "days_from_civil" of Howard Hinnant's date algorithms. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const from = month <= 2 ? year - 1 : year;
  const era = Math.floor(from / 400);
  const ofEra = from - era * 400;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const days = ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear;
  return era * 146_097 + days - 719_468;
}
