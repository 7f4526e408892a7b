// The body of a denial: an RFC 9457 problem. It never contains the key, which may be a secret or personal.

import type { Decision } from "../decision.ts";

/** Media type of problem details in JSON. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** A denial as a problem, of the type that draft-ietf-httpapi-ratelimit-headers-11 §5.1 registers. */
export interface QuotaExceededProblem {
  readonly type: "https://iana.org/assignments/http-problem-types#quota-exceeded";
  readonly title: string;
  readonly status: 429;
  readonly detail: string;
  /** The limits that bound, by the names that stand in `RateLimit-Policy`. */
  readonly "violated-policies": readonly string[];
}

/** Describes a denied decision to its caller. The seconds in `detail` are those of `Retry-After`. */
export function quotaExceededProblem(decision: Decision): QuotaExceededProblem {
  return {
    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    title: "Request cannot be satisfied as assigned quota has been exceeded",
    status: 429,
    detail: detailOf(decision),
    "violated-policies": [decision.limitName],
  };
}

function detailOf({ limitName, limit, remaining, retryAfterMs }: Decision): string {
  // Of no limit but that of a blocked key.
  if (limit === 0) return `Requests of this caller are blocked; ${helps(retryAfterMs)}.`;
  if (retryAfterMs === null) {
    return `The request costs more than the limit "${limitName}" of ${limit} can ever admit; ${helps(null)}.`;
  }
  return (
    `The limit "${limitName}" of ${limit} has ${remaining} left, which is less than the request costs; ` +
    `${helps(retryAfterMs)}.`
  );
}

function helps(retryAfterMs: number | null): string {
  if (retryAfterMs === null) return "waiting does not help";
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return `try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}`;
}
