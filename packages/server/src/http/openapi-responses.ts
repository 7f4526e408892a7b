// The parts of the OpenAPI document that every operation shares: problems, and the header fields of a decision.

import { reference } from "./openapi-parts.ts";
import { BODY_LIMIT } from "./request-body.ts";

function problem(description: string, name: string, status: number, title: string, detail: string) {
  const example = { type: `urn:problem-type:tidegate:${name}`, title, status, detail };
  return {
    description,
    content: { "application/problem+json": { schema: reference("schemas", "Problem"), example } },
  };
}

/** What is answered where something is wrong. */
export const responses = {
  Problem400: {
    description: "The body is not JSON, or a field is wrong",
    content: {
      "application/problem+json": {
        schema: reference("schemas", "Problem"),
        example: {
          type: "urn:problem-type:tidegate:invalid-request",
          title: "The request is not valid",
          status: 400,
          detail: "cost must be a whole number from 0 to 1000000000, got -1",
          field: "cost",
        },
      },
    },
  },
  Problem404: problem(
    "There is no such policy",
    "unknown-policy",
    404,
    "There is no such policy",
    'unknown policy "apo" of this limiter; did you mean "api"?',
  ),
  Problem408: problem(
    "The request did not arrive within 30 seconds",
    "request-timeout",
    408,
    "The request took too long to arrive",
    "The request did not arrive in time.",
  ),
  Problem413: problem(
    "The body is too large",
    "body-too-large",
    413,
    "The body is too large",
    `The body may have ${BODY_LIMIT} bytes at most.`,
  ),
  Problem415: problem(
    "The body is not application/json, not UTF-8, or compressed",
    "unsupported-media-type",
    415,
    "The body's type is not supported",
    "The body must be application/json.",
  ),
  Problem431: problem(
    "The header is larger than 16,384 bytes",
    "header-too-large",
    431,
    "The request's header is too large",
    "The header may have 16,384 bytes at most.",
  ),
  Problem500: problem(
    "The service failed",
    "internal-error",
    500,
    "The service failed",
    "Something went wrong inside; it has been logged.",
  ),
  Problem503: problem(
    "The store could not decide, or the service is stopping; trying again may help",
    "store-unavailable",
    503,
    "The store could not decide",
    "The store could not decide; try again.",
  ),
};

/** The header fields of an answer that is a decision. */
export const headers = {
  RateLimit: {
    description: "What remains of the limit that bound (draft-ietf-httpapi-ratelimit-headers-11)",
    schema: { type: "string" },
    example: '"api";r=99;t=1',
  },
  "RateLimit-Policy": {
    description: "All limits of the policy (draft-ietf-httpapi-ratelimit-headers-11)",
    schema: { type: "string" },
    example: '"api";q=100;w=10',
  },
  "Retry-After": {
    description: "On a denial that a wait helps: seconds until the same request is admitted",
    schema: { type: "integer", minimum: 1 },
  },
};
