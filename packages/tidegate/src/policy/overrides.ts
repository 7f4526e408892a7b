// Other limits for some keys of a policy: by exact key or pattern, the most specific first, with an end where they
// have one. Ten thousand of them cost a look-up.

import { daysFromCivil } from "../algorithms/calendar.ts";
import { KeyPatterns } from "./key-patterns.ts";
import { checkOptions, optionError } from "./options.ts";
import {
  checkFlag,
  type OverrideOptions,
  type Policy,
  type PolicySettings,
  policyOf,
} from "./policy.ts";

/** What holds for a key: limits to decide by, or an answer that needs none. */
export type Ruling =
  | { readonly kind: "limits"; readonly policy: Policy; readonly untilUs: number }
  | { readonly kind: "unlimited" | "blocked"; readonly untilUs: number };

/** The overrides of one policy. */
export interface Overrides {
  /** Finds what holds for a key at `nowUs`; undefined where the policy's own limits do. */
  find(key: string, nowUs: number): Ruling | undefined;
  /**
   * Finds when a cost could first be admitted that what holds for a key cannot admit: when that ends, or where others
   * hold then that cannot, when those do. Infinity where that is never, the cost being above the limits.
   */
  admitsFrom(key: string, holding: Ruling, cost: number): number;
}

/**
 * Checks a policy's overrides.
 * @throws TidegateError INVALID_OPTION naming the option by its path, e.g. "policies.api.overrides[3].key".
 */
export function createOverrides(
  policy: Policy,
  options: readonly OverrideOptions[],
  settings: PolicySettings,
  region: string,
): Overrides | undefined {
  const path = `policies.${policy.name}.overrides`;
  if (!Array.isArray(options)) throw optionError(path, "a list of overrides", options);
  if (options.length === 0) return undefined;
  const patterns = new KeyPatterns<Ruling>();
  for (const [index, override] of options.entries()) {
    const field = `${path}[${index}]`;
    checkOptions(field, override, ["key", "limits", "unlimited", "blocked", "until"]);
    patterns.add(
      `${field}.key`,
      override.key,
      readRuling(policy, field, override, settings, region),
    );
  }
  let now = 0;
  const holds = ({ untilUs }: Ruling) => now < untilUs;
  return {
    find(key, nowUs) {
      now = nowUs;
      return patterns.find(key, holds);
    },
    admitsFrom(key, holding, cost) {
      for (let from = holding.untilUs; from !== Number.POSITIVE_INFINITY; ) {
        const next = this.find(key, from);
        if (next === undefined) return couldAdmit(policy, cost) ? from : Number.POSITIVE_INFINITY;
        if (next.kind === "unlimited") return from;
        if (next.kind === "limits" && couldAdmit(next.policy, cost)) return from;
        from = next.untilUs;
      }
      return Number.POSITIVE_INFINITY;
    },
  };
}

/** Whether a cost is within all limits that deny, so that they admit it once enough has come back. */
export function couldAdmit({ limits, shadow }: Policy, cost: number): boolean {
  return shadow || limits.every(({ limit, soft }) => soft || cost <= limit);
}

function readRuling(
  policy: Policy,
  field: string,
  override: OverrideOptions,
  settings: PolicySettings,
  region: string,
): Ruling {
  const untilUs = readUntil(`${field}.until`, override.until);
  const unlimited = checkFlag(`${field}.unlimited`, override.unlimited);
  const blocked = checkFlag(`${field}.blocked`, override.blocked);
  const given = [override.limits !== undefined, unlimited, blocked].filter(Boolean);
  if (given.length !== 1) {
    throw optionError(
      field,
      "an override with one of limits, unlimited: true and blocked: true",
      override,
    );
  }
  if (override.limits !== undefined) {
    const own = policyOf(policy.name, field, override.limits, settings, region);
    if (own.holds !== policy.holds) {
      const expected = policy.holds
        ? "limits with a concurrency() among them, as the policy's are"
        : "limits without concurrency(), as the policy's are";
      throw optionError(`${field}.limits`, expected, override.limits);
    }
    return { kind: "limits", policy: own, untilUs };
  }
  return { kind: unlimited ? "unlimited" : "blocked", untilUs };
}

const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads an instant, in microseconds since the epoch; Infinity where there is none. */
function readUntil(field: string, value: unknown): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const milliseconds = typeof value === "string" ? parseInstant(value) : value;
  if (typeof milliseconds === "number" && milliseconds >= 0 && milliseconds <= MAX_INSTANT_MS) {
    return Math.round(milliseconds * 1_000);
  }
  const expected =
    'an instant with its offset, such as "2027-01-31T12:00:00Z", or milliseconds since the epoch';
  throw optionError(field, expected, value);
}

/** The end of the year 9999. Microseconds until then are not exact, but to the millisecond. */
const MAX_INSTANT_MS = 253_402_300_799_999;

/** Reads RFC 3339, in milliseconds since the epoch; NaN where it is none. */
function parseInstant(text: string): number {
  const match = INSTANT.exec(text.trim());
  if (match === null) return Number.NaN;
  const [year, month, day, hour, minute, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const fraction = Number(`0.${match[7] ?? 0}`);
  const offset =
    (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * (match[8] === "-" ? -1 : 1);
  const isDate = month! >= 1 && month! <= 12 && day! >= 1 && day! <= daysInMonth(year!, month!);
  if (!isDate || hour! > 23 || minute! > 59 || second > 59) return Number.NaN;
  const days = daysFromCivil(year!, month!, day!);
  const minutes = days * 1_440 + hour! * 60 + minute! - offset;
  return Math.round((minutes * 60 + second + fraction) * 1_000);
}

function daysInMonth(year: number, month: number): number {
  return month === 12 ? 31 : daysFromCivil(year, month + 1, 1) - daysFromCivil(year, month, 1);
}
