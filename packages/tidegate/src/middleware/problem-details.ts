// The body of a denial: an RFC 9457 problem. It never contains the key, which may be a secret or personal, nor where
// the store is that gave no answer.

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

/** A denial for want of an answer, of the type that §5.2 registers. */
export interface ReducedCapacityProblem {
  readonly type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
  readonly title: string;
  readonly status: 503;
  readonly detail: string;
}

/**
 * Describes a denied decision to its caller: as one that has used up a quota, or where nobody could count and waiting
 * helps, as one that is not to blame.
 */
export function denialProblem(decision: Decision): QuotaExceededProblem | ReducedCapacityProblem {
  const { source, retryAfterMs } = decision;
  return source === "fail-closed" && retryAfterMs !== null
    ? reducedCapacityProblem(retryAfterMs)
    : quotaExceededProblem(decision);
}

function reducedCapacityProblem(retryAfterMs: number): ReducedCapacityProblem {
  return {
    type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
    title: "Request cannot be satisfied due to temporary server capacity constraints",
    status: 503,
    detail: `Requests cannot be counted at present, and so none is admitted; ${helps(retryAfterMs)}.`,
  };
}

/** Describes a denied decision to its caller. The seconds in `detail` are those of `Retry-After`. */
function quotaExceededProblem(decision: Decision): QuotaExceededProblem {
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
