// The OpenAPI document of the HTTP door, by hand. A test holds it against the routes, and real answers against its
// schemas. Loaded with the first request for it.

import { MAX_BATCH } from "../max-batch.ts";
import { BODY_LIMIT } from "./check-body.ts";

const reference = (kind: "schemas" | "responses" | "parameters" | "headers", name: string) => {
  return { $ref: `#/components/${kind}/${name}` };
};

const problems = (...names: readonly string[]) => {
  return Object.fromEntries(names.map((name) => [name, reference("responses", `Problem${name}`)]));
};

const json = (schema: string, example: unknown) => {
  return { "application/json": { schema: reference("schemas", schema), example } };
};

const rateLimitHeaders = {
  RateLimit: reference("headers", "RateLimit"),
  "RateLimit-Policy": reference("headers", "RateLimit-Policy"),
};

const allowedExample = {
  allowed: true,
  policy: "api",
  key: "user:42",
  limitName: "api",
  limit: 100,
  remaining: 99,
  retryAfterMs: 0,
  resetAfterMs: 100,
  delayMs: 0,
  soft: false,
  nearLimit: false,
  shadow: false,
  source: "local",
};

const deniedExample = {
  ...allowedExample,
  allowed: false,
  remaining: 0,
  retryAfterMs: 100,
  resetAfterMs: 10_000,
  nearLimit: true,
};

const decisionContent = {
  "application/json": {
    schema: reference("schemas", "Decision"),
    examples: {
      allowed: { summary: "Allowed", value: allowedExample },
      denied: { summary: "Denied", value: deniedExample },
    },
  },
};

const paths = {
  "/v1/check": {
    post: {
      operationId: "check",
      tags: ["decisions"],
      summary: "Decide one request, and take its cost where it is admitted",
      description: "Answers 200 whether the request was allowed or denied; `allowed` says which.",
      requestBody: {
        required: true,
        content: json("CheckRequest", { policy: "api", key: "user:42", cost: 1 }),
      },
      responses: {
        200: {
          description: "The decision",
          headers: { ...rateLimitHeaders, "Retry-After": reference("headers", "Retry-After") },
          content: decisionContent,
        },
        ...problems("400", "404", "408", "413", "415", "431", "500", "503"),
      },
    },
  },
  "/v1/check-all": {
    post: {
      operationId: "checkAll",
      tags: ["decisions"],
      summary: "Decide several requests, each on its own, in order",
      description: "Where one request is wrong, the whole call is refused and nothing is taken.",
      requestBody: {
        required: true,
        content: json("CheckAllRequest", { requests: [{ policy: "api", key: "user:42" }] }),
      },
      responses: {
        200: {
          description: "One decision for each request, in order",
          content: json("CheckAllResponse", { decisions: [allowedExample] }),
        },
        ...problems("400", "404", "408", "413", "415", "431", "500", "503"),
      },
    },
  },
  "/v1/status": {
    get: {
      operationId: "status",
      tags: ["decisions"],
      summary: "Answer what /v1/check would answer now, and take nothing",
      parameters: [
        { ...parameter("policy", "Name of a policy", "PolicyName"), example: "api" },
        { ...parameter("key", "Whom it is counted for", "Key"), example: "user:42" },
        { ...parameter("cost", "Units to ask about; left out, 1", "Cost"), required: false },
      ],
      responses: {
        200: {
          description: "The decision that a check would get",
          headers: { ...rateLimitHeaders, "Retry-After": reference("headers", "Retry-After") },
          content: decisionContent,
        },
        ...problems("400", "404", "408", "431", "500", "503"),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "openapi",
      tags: ["service"],
      summary: "This document",
      responses: {
        200: {
          description: "An OpenAPI 3.1 document",
          content: { "application/json": { schema: { type: "object" } } },
        },
      },
    },
  },
  "/healthz": {
    get: {
      operationId: "alive",
      tags: ["service"],
      summary: "Whether the process is alive",
      responses: {
        200: { description: "It is", content: json("Alive", { alive: true }) },
      },
    },
  },
  "/readyz": {
    get: {
      operationId: "ready",
      tags: ["service"],
      summary:
        "Whether this node should be sent requests: its store answers, and it is not stopping",
      responses: {
        200: {
          description: "It should",
          content: json("Readiness", { ready: true, store: "reachable", draining: false }),
        },
        503: {
          description: "It should not, and why",
          content: json("Readiness", { ready: false, store: "unreachable", draining: false }),
        },
      },
    },
  },
};

function parameter(name: string, description: string, schema: string) {
  return { name, in: "query", required: true, description, schema: reference("schemas", schema) };
}

function object(properties: Record<string, unknown>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", additionalProperties: false, required, properties };
}

const flag = (description: string) => ({ type: "boolean", description });
const whole = (description: string) => ({ type: "integer", minimum: 0, description });

const schemas = {
  PolicyName: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
  Key: { type: "string", minLength: 1, maxLength: 1_024 },
  Cost: { type: "integer", minimum: 0, maximum: 1_000_000_000, default: 1 },
  CheckRequest: object(
    {
      policy: reference("schemas", "PolicyName"),
      key: reference("schemas", "Key"),
      cost: reference("schemas", "Cost"),
    },
    ["cost"],
  ),
  CheckAllRequest: object({
    requests: { type: "array", maxItems: MAX_BATCH, items: reference("schemas", "CheckRequest") },
  }),
  CheckAllResponse: object({
    decisions: { type: "array", items: reference("schemas", "Decision") },
  }),
  Decision: {
    ...object({
      allowed: { type: "boolean" },
      policy: reference("schemas", "PolicyName"),
      key: reference("schemas", "Key"),
      limitName: {
        type: "string",
        description:
          "The limit that bound: the one to wait longest for, or where all admitted, with the least remaining",
      },
      limit: whole("That limit's capacity or count, in units"),
      remaining: whole("Units that could be taken right now, after this decision"),
      retryAfterMs: {
        type: ["integer", "null"],
        minimum: 0,
        description:
          "Milliseconds until the same request is admitted if nobody else takes anything: 0 where it was allowed, " +
          "null where no wait helps, because the cost is above the limit",
      },
      resetAfterMs: whole("Milliseconds until the limit is as if never used"),
      delayMs: whole(
        "Milliseconds that an admitted request is to wait before it goes: 0 but for leaky buckets",
      ),
      soft: flag("Whether it was admitted although it goes beyond a soft limit"),
      nearLimit: flag("Whether, after it, a limit is used to the policy's nearLimit or more"),
      shadow: flag(
        "Whether it was admitted only because the policy is a shadow: its limits denied it and were charged nothing",
      ),
      source: {
        type: "string",
        enum: ["local", "store"],
        description: "Who answered: this node's memory, or the shared store",
      },
    }),
    description: "All numbers come from one limit, read at one instant of one clock.",
  },
  Alive: object({ alive: { const: true } }),
  Readiness: object({
    ready: { type: "boolean" },
    store: { type: "string", enum: ["unknown", "reachable", "unreachable"] },
    draining: { type: "boolean" },
  }),
  Problem: {
    ...object(
      {
        type: { type: "string", description: "A name for the kind of problem; not an address" },
        title: { type: "string" },
        status: { type: "integer", minimum: 400, maximum: 599 },
        detail: { type: "string", description: "What is wrong, and what would be right" },
        field: { type: "string", description: "The field that is wrong, e.g. requests[3].cost" },
      },
      ["field"],
    ),
    description: "Problem details, RFC 9457",
  },
};

function problem(description: string, name: string, status: number, title: string, detail: string) {
  const example = { type: `urn:problem-type:tidegate:${name}`, title, status, detail };
  return {
    description,
    content: { "application/problem+json": { schema: reference("schemas", "Problem"), example } },
  };
}

const responses = {
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

const headers = {
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

/** The document. */
export const openApi = {
  openapi: "3.1.1",
  info: {
    title: "Tidegate",
    version: "1",
    summary: "Rate-limit decisions over HTTP",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  tags: [
    { name: "decisions", description: "May this request pass?" },
    { name: "service", description: "The service itself" },
  ],
  paths,
  components: { schemas, responses, headers },
};

/** The document as it is sent. */
export const openApiJson = JSON.stringify(openApi);
