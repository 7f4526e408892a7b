// Errors over HTTP, as RFC 9457 problem details.

import { TidegateError } from "tidegate";
import { describeRequestError, isCallersError } from "../request-error.ts";

/** The media type of a problem. */
export const PROBLEM_TYPE = "application/problem+json";

/** What can go wrong; each is the last part of a problem's type. */
export type ProblemName =
  | "invalid-request"
  | "unknown-policy"
  | "not-found"
  | "method-not-allowed"
  | "body-too-large"
  | "unsupported-media-type"
  | "header-too-large"
  | "request-timeout"
  | "store-unavailable"
  | "stopping"
  | "internal-error";

const STATUS: Readonly<Record<ProblemName, readonly [number, string]>> = {
  "invalid-request": [400, "The request is not valid"],
  "unknown-policy": [404, "There is no such policy"],
  "not-found": [404, "There is nothing at this path"],
  "method-not-allowed": [405, "The path does not take this method"],
  "request-timeout": [408, "The request took too long to arrive"],
  "body-too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body's type is not supported"],
  "header-too-large": [431, "The request's header is too large"],
  "internal-error": [500, "The service failed"],
  "store-unavailable": [503, "The store could not decide"],
  stopping: [503, "The service is stopping"],
};

/** A problem, as it is sent. `type` is a name, not an address. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Path of the field that is wrong, e.g. "cost" or "requests[3].key". */
  readonly field?: string;
}

/** Thrown by what reads a request; answered as its problem. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(name: ProblemName, detail: string, field?: string) {
    super(detail);
    this.problem = createProblem(name, detail, field);
  }
}

/** Creates a problem. */
export function createProblem(name: ProblemName, detail: string, field?: string): Problem {
  const [status, title] = STATUS[name];
  const problem = { type: `urn:problem-type:tidegate:${name}`, title, status, detail };
  return field === undefined ? problem : { ...problem, field };
}

/** Returns the problem for an error; `unexpected` is told of what the caller must not see. */
export function problemOf(error: unknown, unexpected: (error: unknown) => void): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof TidegateError) {
    if (isCallersError(error)) {
      const name = error.code === "UNKNOWN_POLICY" ? "unknown-policy" : "invalid-request";
      return createProblem(name, describeRequestError(error), error.field);
    }
    if (error.code === "STORE_UNAVAILABLE") {
      unexpected(error);
      return createProblem("store-unavailable", "The store could not decide; try again.");
    }
    if (error.code === "LIMITER_CLOSED") {
      return createProblem("stopping", "The service is stopping; try another node.");
    }
  }
  unexpected(error);
  return createProblem("internal-error", "Something went wrong inside; it has been logged.");
}
