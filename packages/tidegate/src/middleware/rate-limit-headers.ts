// Writes a decision as HTTP header fields. The standard is still an Internet-Draft, so every version of it is one
// writer here, chosen by name. Nothing in this file reads a clock or knows a framework.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { LimitDescription, PolicyDescription } from "../limiter.ts";

/** Version of draft-ietf-httpapi-ratelimit-headers whose syntax and meaning is written. */
export type HeaderVersion = "draft-11";

/** The versions that exist, for checks and messages. */
export const HEADER_VERSIONS: readonly HeaderVersion[] = ["draft-11"];

/**
 * Header fields by name. `Retry-After` is there on denials only, and not where no wait helps; the others are left out
 * for keys without a limit, and for shadow policies.
 */
export interface RateLimitHeaders {
  readonly "RateLimit-Policy"?: string;
  readonly RateLimit?: string;
  readonly "Retry-After"?: string;
}

// A new version of the draft: add its name to HeaderVersion and HEADER_VERSIONS, and its writer here.
const WRITERS: Readonly<
  Record<HeaderVersion, (decision: Decision, description: PolicyDescription) => RateLimitHeaders>
> = { "draft-11": writeDraft11 };

/**
 * Writes the header fields for a decision: all limits of its policy, the limit that bound, and when to come back.
 * @param description what `limiter.describe(decision.policy, decision.key)` answers.
 * @param version of the draft; "draft-11" is the newest known here.
 */
export function rateLimitHeaders(
  decision: Decision,
  description: PolicyDescription,
  version: HeaderVersion = "draft-11",
): RateLimitHeaders {
  return WRITERS[version](decision, description);
}

/**
 * draft-ietf-httpapi-ratelimit-headers-11, §3 and §4, in the syntax of RFC 9651.
 * - `q` is a capacity or count, `w` its window in whole seconds, rounded up, so at least 1. Rounding up understates
 *   the rate: a client that keeps to what it reads is never over the real limit, however short its window. Permits
 *   have no window, and are counted in "concurrent-requests". A soft limit is told like others, since it is there to
 *   be kept to, and marked.
 * - `r` is what could be taken now; `t` the whole seconds, rounded up, until there is more (a bucket's next unit, a
 *   window's end), so at least 1. `t` is left out where all of the limit is there and no wait brings more, and of
 *   permits, which come back when their holders are done.
 * - `Retry-After` is when this request would be admitted, in whole seconds, rounded up, and never before `t`.
 *
 * A shadow policy tells nothing: it holds nobody back, so nobody is to hold back for it. A key that is unlimited has
 * no quota that could be told; one that is blocked has one of 0.
 */
function writeDraft11(decision: Decision, description: PolicyDescription): RateLimitHeaders {
  if (description.shadow) return {};
  const seconds = secondsUntilMore(decision, description);
  const policies = policyField(description, decision);
  const quota =
    policies === undefined
      ? {}
      : { "RateLimit-Policy": policies, RateLimit: limitItem(decision, seconds) };
  if (decision.allowed || decision.retryAfterMs === null) return quota;
  const retryAfter = Math.max(wholeSeconds(decision.retryAfterMs), seconds ?? 0);
  return { ...quota, "Retry-After": String(structuredInteger(retryAfter)) };
}

function limitItem({ limitName, remaining }: Decision, seconds: number | undefined): string {
  const item = `${structuredString(limitName)};r=${structuredInteger(remaining)}`;
  return seconds === undefined ? item : `${item};t=${structuredInteger(seconds)}`;
}

// A limiter describes a policy with the same frozen object every time, so its field is written once.
const policyFields = new WeakMap<PolicyDescription, string>();

/** Returns undefined for a key without a limit. */
function policyField(description: PolicyDescription, decision: Decision): string | undefined {
  if (description.limits.length === 0) {
    return decision.limit === 0 ? `${structuredString(decision.limitName)};q=0` : undefined;
  }
  let field = policyFields.get(description);
  if (field === undefined) {
    field = description.limits.map(policyItem).join(", ");
    policyFields.set(description, field);
  }
  return field;
}

function policyItem(limit: LimitDescription): string {
  const item = `${structuredString(limit.name)};q=${structuredInteger(limit.limit)}`;
  const unit =
    limit.algorithm === "concurrency"
      ? ';qu="concurrent-requests"'
      : `;w=${structuredInteger(windowSeconds(limit))}`;
  // §3.1 leaves room for parameters of one's own, which are comments to those who do not know them.
  return item + unit + (limit.soft ? ";tidegate-soft" : "");
}

const DAY_SECONDS = 86_400;

function windowSeconds({ algorithm, windowMs }: LimitDescription): number {
  const seconds = wholeSeconds(windowMs);
  // Described by the shortest month; the longest is the one that understates the rate.
  return algorithm === "calendar-window" && seconds === 28 * DAY_SECONDS
    ? 31 * DAY_SECONDS
    : seconds;
}

/** Returns the whole seconds until the limit that bound has more to give, or undefined where that cannot be told. */
function secondsUntilMore(decision: Decision, description: PolicyDescription): number | undefined {
  const { limit, limitName, remaining, resetAfterMs, retryAfterMs } = decision;
  const unused = remaining > 0 && remaining >= limit;
  if (unused || resetAfterMs <= 0) return undefined;
  const bound = description.limits.find(({ name }) => name === limitName);
  if (bound?.algorithm === "concurrency") return undefined;
  const waitMs = bound === undefined ? resetAfterMs : untilMoreMs(bound, decision);
  // A denied request waits for at least one unit more, so what it waits for bounds what is not known better.
  return wholeSeconds(retryAfterMs ? Math.min(waitMs, retryAfterMs) : waitMs);
}

/**
 * Returns milliseconds after which the limit has at least one unit more than `remaining`: never fewer than it takes,
 * and no more than a decision's numbers leave open.
 */
function untilMoreMs(bound: LimitDescription, decision: Decision): number {
  const { limit, remaining, resetAfterMs } = decision;
  const used = limit - remaining;
  switch (bound.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      // `used` units are all back after resetAfterMs and return one by one, so the first is that much earlier.
      return resetAfterMs - ((used - 1) * bound.windowMs) / limit;
    case "sliding-window":
      return untilMoreOfCountersMs(bound, decision, used);
    default:
      // A window's end. What leaves a log first is not known, only when the last does.
      return resetAfterMs;
  }
}

/**
 * Of a sliding window's counters: those of the window before fade until this one ends, and those of this one in the
 * next. Which of the two `used` is the sum of is not known, so it is taken for the one that takes longer.
 */
function untilMoreOfCountersMs(
  { windowMs, soft }: LimitDescription,
  { allowed, remaining, resetAfterMs }: Decision,
  used: number,
): number {
  // There may be a debt, of which `used` shows nothing. A look that cost nothing is not told apart from a request that
  // took the last unit; where it met a debt it is told too soon, and who then comes is denied and told when.
  if (remaining === 0 && (soft || !allowed)) return resetAfterMs;
  const endsMs = resetAfterMs - windowMs;
  return endsMs > 0 ? endsMs + windowMs / used : resetAfterMs / used;
}

function wholeSeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1_000));
}

const INTEGER_MAX = 999_999_999_999_999;

/** Brings a number into what the fields can carry: integers from 0 to 15 digits (RFC 9651 §3.3.1). */
function structuredInteger(value: number): number {
  if (!(value > 0)) return 0;
  return Math.min(Math.floor(value), INTEGER_MAX);
}

const PRINTABLE = /^[ -~]*$/;

/** Writes an RFC 9651 §3.3.3 String. Names that a limiter has checked always fit. */
function structuredString(value: string): string {
  if (!PRINTABLE.test(value)) {
    throw new TidegateError(
      "INVALID_OPTION",
      `a limit's name must be printable ASCII to stand in a header, got ${JSON.stringify(value)}`,
      { field: "name" },
    );
  }
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
