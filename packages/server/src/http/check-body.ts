// Reads what HTTP callers send: every field is checked by name and type here, its range by the limiter.

import type { CheckRequest } from "tidegate";
import { MAX_BATCH } from "../max-batch.ts";
import { ProblemError } from "./problem.ts";

/** The largest body, in bytes. */
export const BODY_LIMIT = 65_536;

const REQUEST_FIELDS = ["policy", "key", "cost"];

/** Parses a body of JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const detail =
      text.length === 0 ? "The body is empty; it must be JSON." : `The body is not JSON: ${why}`;
    throw new ProblemError("invalid-request", detail);
  }
}

/**
 * Reads the body of POST /v1/check.
 * @throws ProblemError invalid-request naming the field.
 */
export function readCheckBody(body: unknown): CheckRequest {
  return readRequest(body, "");
}

/**
 * Reads the body of POST /v1/check-all.
 * @throws ProblemError invalid-request naming the field, e.g. "requests[3].cost".
 */
export function readBatchBody(body: unknown): CheckRequest[] {
  const fields = readObject(body, "", ["requests"]);
  const { requests } = fields;
  if (!Array.isArray(requests)) {
    throw wrong("requests", `a list of at most ${MAX_BATCH} requests`, requests);
  }
  if (requests.length > MAX_BATCH) {
    const detail = `requests must be at most ${MAX_BATCH}, got ${requests.length}`;
    throw new ProblemError("invalid-request", detail, "requests");
  }
  return requests.map((request: unknown, index) => readRequest(request, `requests[${index}]`));
}

/**
 * Reads the query of GET /v1/status, where every value is a string, or a list of them if it was given twice.
 * @throws ProblemError invalid-request naming the field.
 */
export function readStatusQuery(query: unknown, url: string): CheckRequest {
  // Fastify keeps what cannot be decoded as it is, so that two different queries would ask for one key.
  const text = url.slice(url.indexOf("?") + 1);
  for (const part of url.includes("?") ? text.split("&") : []) {
    const name = part.split("=", 1)[0]!;
    try {
      decodeURIComponent(part);
    } catch {
      const field = REQUEST_FIELDS.includes(name) ? name : undefined;
      const detail = `${field ?? "the query"} must be percent-encoded UTF-8`;
      throw new ProblemError("invalid-request", detail, field);
    }
  }
  const fields = readObject(query, "", REQUEST_FIELDS);
  const { cost } = fields;
  if (cost === undefined) return readRequest(query, "");
  if (typeof cost !== "string" || !/^\d{1,15}$/.test(cost)) {
    throw wrong("cost", "a whole number", cost);
  }
  return readRequest({ ...fields, cost: Number(cost) }, "");
}

function readRequest(value: unknown, path: string): CheckRequest {
  const { policy, key, cost } = readObject(value, path, REQUEST_FIELDS);
  const at = path === "" ? "" : `${path}.`;
  if (typeof policy !== "string") throw wrong(`${at}policy`, "a policy's name", policy);
  if (typeof key !== "string") throw wrong(`${at}key`, "a string", key);
  if (cost === undefined) return { policy, key };
  if (typeof cost !== "number") throw wrong(`${at}cost`, "a whole number", cost);
  return { policy, key, cost };
}

function readObject(
  value: unknown,
  path: string,
  known: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (path !== "") throw wrong(path, `an object with ${known.join(", ")}`, value);
    const detail = `The body must be an object with ${known.join(", ")}, got ${kindOf(value)}`;
    throw new ProblemError("invalid-request", detail);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const shown = name.length > 64 ? `${name.slice(0, 61)}...` : name;
    const field = path === "" ? shown : `${path}.${shown}`;
    const detail = `unknown field ${JSON.stringify(field)}; known are ${known.join(", ")}`;
    throw new ProblemError("invalid-request", detail, field);
  }
  return value as Record<string, unknown>;
}

function wrong(field: string, expected: string, value: unknown): ProblemError {
  const detail = `${field} must be ${expected}, got ${kindOf(value)}`;
  return new ProblemError("invalid-request", detail, field);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") {
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 61)}...` : value);
  }
  return String(value);
}
