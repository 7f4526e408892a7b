// The operations of the OpenAPI document.

import { json, jsonOf, problems, reference } from "./openapi-parts.ts";

const allowed = {
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

const denied = {
  ...allowed,
  allowed: false,
  remaining: 0,
  retryAfterMs: 100,
  resetAfterMs: 10_000,
  nearLimit: true,
};

const READY = {
  ready: true,
  store: "reachable",
  draining: false,
  circuits: [{ node: "", state: "closed", since: "2027-01-31T12:00:00.000Z" }],
};

const asked = { policy: "api", key: "user:42" };

/** The answer to what is decided: 200, denied or not, with the header fields of a decision. */
function decided(description: string, content: object) {
  const fields = ["RateLimit", "RateLimit-Policy", "Retry-After"];
  const headers = Object.fromEntries(fields.map((name) => [name, reference("headers", name)]));
  return { description, headers, content };
}

interface Operation {
  readonly operationId: string;
  readonly tag: "decisions" | "holding" | "service";
  readonly summary: string;
  readonly description?: string;
  readonly body: object;
  readonly answer: object;
}

function post({ operationId, tag, summary, description, body, answer }: Operation) {
  return {
    post: {
      operationId,
      tags: [tag],
      summary,
      ...(description === undefined ? {} : { description }),
      requestBody: { required: true, content: body },
      responses: {
        200: answer,
        ...problems("400", "404", "408", "413", "415", "431", "500", "503"),
      },
    },
  };
}

const decisions = {
  "/v1/check": post({
    operationId: "check",
    tag: "decisions",
    summary: "Decide one request, and take its cost where it is admitted",
    description: "Answers 200 whether the request was allowed or denied; `allowed` says which.",
    body: json("CheckRequest", { ...asked, cost: 1 }),
    answer: decided("The decision", jsonOf("Decision", { allowed, denied })),
  }),
  "/v1/check-all": post({
    operationId: "checkAll",
    tag: "decisions",
    summary: "Decide several requests, each on its own, in order",
    description:
      "Where one request is wrong, the whole call is refused and nothing is taken. An id that was another request's " +
      "before fails the call too, but all others are decided then.",
    body: json("CheckAllRequest", { requests: [asked] }),
    answer: {
      description: "One decision for each request, in order",
      content: json("CheckAllResponse", { decisions: [allowed] }),
    },
  }),
  "/v1/check-every": post({
    operationId: "checkEvery",
    tag: "decisions",
    summary: "Decide several requests as one: where one is denied, nothing is taken from any",
    body: json("CheckEveryRequest", { requests: [asked, { policy: "org", key: "org:7" }] }),
    answer: decided(
      "The decision of the request that bound; its policy and key say which",
      jsonOf("Decision", { allowed, denied: { ...denied, policy: "org", key: "org:7" } }),
    ),
  }),
  "/v1/status": {
    get: {
      operationId: "status",
      tags: ["decisions"],
      summary: "Answer what /v1/check would answer now, and take nothing",
      parameters: [
        { ...parameter("policy", "Name of a policy", "PolicyName"), example: "api" },
        {
          ...parameter("key", "Whom it is counted for", "Key"),
          required: true,
          example: "user:42",
        },
        parameter("cost", "Units to ask about; left out, 1", "Cost"),
      ],
      responses: {
        200: decided(
          "The decision that a check would get",
          jsonOf("Decision", { allowed, denied }),
        ),
        ...problems("400", "404", "408", "431", "500", "503"),
      },
    },
  },
};

const holding = {
  "/v1/reserve": post({
    operationId: "reserve",
    tag: "holding",
    summary: "Take an estimate until the true cost is known",
    description: "What is not settled within its ttl stays charged in full for good.",
    body: json("ReserveRequest", { ...asked, cost: 20, ttl: "30s" }),
    answer: decided(
      "The decision, and where it is allowed, what names the reservation",
      jsonOf("Reservation", {
        allowed: { ...allowed, remaining: 80, id: "Qm9vbHdhcms", cost: 20, ttlMs: 30_000 },
        denied,
      }),
    ),
  }),
  "/v1/settle": post({
    operationId: "settle",
    tag: "holding",
    summary: "Replace a reservation's estimate by what was really used",
    description:
      "Gives the rest back, or charges the excess, which may leave the key in debt of as much as its limit. Settling " +
      "again changes nothing.",
    body: json("SettleRequest", { ...asked, id: "Qm9vbHdhcms", actual: 12 }),
    answer: decided(
      "How the key stands now",
      json("Settlement", { ...allowed, remaining: 88, settled: true }),
    ),
  }),
  "/v1/refund": post({
    operationId: "refund",
    tag: "holding",
    summary: "Give units back, those taken last, and never more than were taken",
    body: json("CheckRequest", { ...asked, cost: 1 }),
    answer: decided("How the key stands now", json("Decision", { ...allowed, remaining: 100 })),
  }),
  "/v1/acquire": post({
    operationId: "acquire",
    tag: "holding",
    summary: "Take a permit of a policy with a concurrency limit",
    description: "The policy's other limits are charged as by a check.",
    body: json("CheckRequest", { policy: "jobs", key: "user:42" }),
    answer: decided(
      "The decision, and where it is allowed, what names the permit",
      jsonOf("Permit", {
        allowed: { ...allowed, policy: "jobs", id: "cGVybWl0", cost: 1, leaseMs: 30_000 },
        denied: { ...denied, policy: "jobs" },
      }),
    ),
  }),
  "/v1/release": post({
    operationId: "release",
    tag: "holding",
    summary: "Give a permit back",
    body: json("HeldRequest", { policy: "jobs", key: "user:42", id: "cGVybWl0" }),
    answer: {
      description: "Whether it was still held",
      content: json("Released", { released: true }),
    },
  }),
  "/v1/extend": post({
    operationId: "extend",
    tag: "holding",
    summary: "Begin a permit's lease anew",
    body: json("HeldRequest", { policy: "jobs", key: "user:42", id: "cGVybWl0" }),
    answer: {
      description: "Whether it was still held",
      content: json("Extended", { extended: true }),
    },
  }),
};

const service = {
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
        "Whether this node should be sent requests: it has started, knows what the nodes that it gossips with have " +
        "counted, and is not stopping. While its store is away it answers as its policies say",
      responses: {
        200: {
          description: "It should",
          content: json("Readiness", READY),
        },
        503: {
          description: "It should not, and why",
          content: json("Readiness", { ...READY, ready: false, draining: true }),
        },
      },
    },
  },
};

function parameter(name: string, description: string, schema: string) {
  return {
    name,
    in: "query",
    required: false,
    description,
    schema: reference("schemas", schema),
  };
}

/** All of them, by path. */
export const paths = { ...decisions, ...holding, ...service };
