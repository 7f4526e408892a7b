// Writes a decision as HTTP header fields. The standard is still an Internet-Draft, so every version of it is one
// writer here, chosen by name. Nothing in this file reads a clock or knows a framework.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { LimitDescription, PolicyDescription } from "../limiter.ts";

/** Version of draft-ietf-httpapi-ratelimit-headers whose syntax and meaning is written. */
export type HeaderVersion = "draft-11";

/** The versions that exist, for checks and messages. */
export const HEADER_VERSIONS: readonly HeaderVersion[] = ["draft-11"];

/** Header fields by name. `Retry-After` is there on denials only, and not where no wait helps. */
export interface RateLimitHeaders {
  readonly "RateLimit-Policy": string;
  readonly RateLimit: string;
  readonly "Retry-After"?: string;
}

// A new version of the draft: add its name to HeaderVersion and HEADER_VERSIONS, and its writer here.
const WRITERS: Readonly<
  Record<HeaderVersion, (decision: Decision, description: PolicyDescription) => RateLimitHeaders>
> = { "draft-11": writeDraft11 };

/**
 * Writes the header fields for a decision: all limits of its policy, the limit that bound, and when to come back.
 * @param description what `limiter.describe(decision.policy)` answers.
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
 *   the rate: a client that keeps to what it reads is never over the real limit, however short its window.
 * - `r` is what could be taken now; `t` the whole seconds, rounded up, until there is more (a bucket's next unit, a
 *   window's end), so at least 1. `t` is left out where all of the limit is there and no wait brings more.
 * - `Retry-After` is when this request would be admitted, in whole seconds, rounded up, and never before `t`.
 */
function writeDraft11(decision: Decision, description: PolicyDescription): RateLimitHeaders {
  const name = structuredString(decision.limitName);
  const seconds = secondsUntilMore(decision, description);
  const remaining = structuredInteger(decision.remaining);
  const headers = {
    "RateLimit-Policy": policyField(description),
    RateLimit:
      seconds === undefined
        ? `${name};r=${remaining}`
        : `${name};r=${remaining};t=${structuredInteger(seconds)}`,
  };
  if (decision.allowed || decision.retryAfterMs === null) return headers;
  const retryAfter = Math.max(wholeSeconds(decision.retryAfterMs), seconds ?? 0);
  return { ...headers, "Retry-After": String(structuredInteger(retryAfter)) };
}

// A limiter describes a policy with the same frozen object every time, so its field is written once.
const policyFields = new WeakMap<PolicyDescription, string>();

function policyField(description: PolicyDescription): string {
  let field = policyFields.get(description);
  if (field === undefined) {
    field = description.limits.map(policyItem).join(", ");
    policyFields.set(description, field);
  }
  return field;
}

function policyItem(limit: LimitDescription): string {
  const window = structuredInteger(wholeSeconds(limit.windowMs));
  return `${structuredString(limit.name)};q=${structuredInteger(limit.limit)};w=${window}`;
}

/** Returns the whole seconds until the limit that bound has more to give, or undefined where it is unused. */
function secondsUntilMore(decision: Decision, description: PolicyDescription): number | undefined {
  const { limit, remaining, resetAfterMs } = decision;
  const used = limit - remaining;
  if (used <= 0 || resetAfterMs <= 0) return undefined;
  const bound = description.limits.find((candidate) => candidate.name === decision.limitName);
  let waitMs = resetAfterMs;
  if (bound?.algorithm === "token-bucket") {
    // `used` units are all back after resetAfterMs and return one by one, so the first is that much earlier.
    waitMs -= ((used - 1) * bound.windowMs) / bound.limit;
  }
  // A denied request waits for at least one unit more, so what it waits for bounds the rounding above.
  const { retryAfterMs } = decision;
  if (retryAfterMs !== null && retryAfterMs > 0) waitMs = Math.min(waitMs, retryAfterMs);
  return wholeSeconds(waitMs);
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
