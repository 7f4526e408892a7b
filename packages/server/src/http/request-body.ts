// Reads what HTTP callers send: every field is checked by name and type here, its range by the limiter.

import type { CheckRequest, Held, ReserveRequest } from "tidegate";
import { MAX_BATCH, MAX_EVERY } from "../max-batch.ts";
import { ProblemError } from "./problem.ts";

/** The largest body, in bytes. */
export const BODY_LIMIT = 65_536;

/** Several requests that are decided as one. */
export interface EveryRequest {
  readonly requests: readonly CheckRequest[];
  readonly id?: string;
}

/** A reservation, and what it really cost. */
export interface SettleRequest extends Held {
  readonly actual: number;
}

interface Field {
  readonly type: "string" | "number" | "list";
  /** What it must be, for messages. */
  readonly expected: string;
  readonly needed?: true;
}

type Shape = Readonly<Record<string, Field>>;

const POLICY: Field = { type: "string", expected: "a policy's name" };
const KEY: Field = { type: "string", expected: "a string", needed: true };
const COST: Field = { type: "number", expected: "a whole number" };
const ID: Field = { type: "string", expected: "a string" };
const TTL: Field = { type: "string", expected: 'a duration such as "30s"' };

const STATUS: Shape = { policy: POLICY, key: KEY, cost: COST };
const CHECK: Shape = { ...STATUS, id: ID };
const RESERVE: Shape = { ...STATUS, ttl: TTL, id: ID };
const HELD: Shape = { policy: POLICY, key: KEY, id: { ...ID, needed: true } };
const SETTLE: Shape = { ...HELD, actual: { ...COST, needed: true } };
const ALL: Shape = { requests: listOf(MAX_BATCH) };
const EVERY: Shape = { requests: listOf(MAX_EVERY), id: ID };

function listOf(most: number): Field {
  return { type: "list", expected: `a list of at most ${most} requests`, needed: true };
}

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
 * Reads the body of POST /v1/check, /v1/refund or /v1/acquire.
 * @throws ProblemError invalid-request naming the field, as all that read bodies do.
 */
export function readCheckBody(body: unknown): CheckRequest {
  return readFields<CheckRequest>(body, "", CHECK);
}

/** Reads the body of POST /v1/reserve. */
export function readReserveBody(body: unknown): ReserveRequest {
  return readFields<ReserveRequest>(body, "", RESERVE);
}

/** Reads the body of POST /v1/settle. */
export function readSettleBody(body: unknown): SettleRequest {
  return readFields<SettleRequest>(body, "", SETTLE);
}

/** Reads the body of POST /v1/release or /v1/extend. */
export function readHeldBody(body: unknown): Held {
  return readFields<Held>(body, "", HELD);
}

/** Reads the body of POST /v1/check-all; a field is named as "requests[3].cost". */
export function readBatchBody(body: unknown): readonly CheckRequest[] {
  return readRequests(readFields<EveryRequest>(body, "", ALL).requests, MAX_BATCH);
}

/** Reads the body of POST /v1/check-every. */
export function readEveryBody(body: unknown): EveryRequest {
  const every = readFields<EveryRequest>(body, "", EVERY);
  return { ...every, requests: readRequests(every.requests, MAX_EVERY) };
}

/** Reads the query of GET /v1/status, where every value is a string, or a list of them if it was given twice. */
export function readStatusQuery(query: unknown, url: string): CheckRequest {
  // Fastify keeps what cannot be decoded as it is, so that two different queries would ask for one key.
  const text = url.slice(url.indexOf("?") + 1);
  for (const part of url.includes("?") ? text.split("&") : []) {
    const name = part.split("=", 1)[0]!;
    try {
      decodeURIComponent(part);
    } catch {
      const field = Object.hasOwn(STATUS, name) ? name : undefined;
      const detail = `${field ?? "the query"} must be percent-encoded UTF-8`;
      throw new ProblemError("invalid-request", detail, field);
    }
  }
  const { cost } = query as { cost?: unknown };
  if (cost === undefined) return readFields<CheckRequest>(query, "", STATUS);
  if (typeof cost !== "string" || !/^\d{1,15}$/.test(cost)) {
    throw wrong("cost", COST.expected, cost);
  }
  return readFields<CheckRequest>({ ...(query as object), cost: Number(cost) }, "", STATUS);
}

function readRequests(requests: readonly unknown[], most: number): readonly CheckRequest[] {
  if (requests.length > most) {
    const detail = `requests must be at most ${most}, got ${requests.length}`;
    throw new ProblemError("invalid-request", detail, "requests");
  }
  return requests.map((request, index) => {
    return readFields<CheckRequest>(request, `requests[${index}]`, CHECK);
  });
}

/** Reads an object that has the fields of `shape` and no other, and returns it as it is. */
function readFields<Read>(value: unknown, path: string, shape: Shape): Read {
  const known = Object.keys(shape);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (path !== "") throw wrong(path, `an object with ${known.join(", ")}`, value);
    const detail = `The body must be an object with ${known.join(", ")}, got ${kindOf(value)}`;
    throw new ProblemError("invalid-request", detail);
  }
  const at = path === "" ? "" : `${path}.`;
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(shape, name)) continue;
    const field = `${at}${name.length > 64 ? `${name.slice(0, 61)}...` : name}`;
    const detail = `unknown field ${JSON.stringify(field)}; known are ${known.join(", ")}`;
    throw new ProblemError("invalid-request", detail, field);
  }
  for (const name of known) {
    const { type, expected, needed } = shape[name]!;
    const given = (value as Record<string, unknown>)[name];
    if (given === undefined && needed === undefined) continue;
    const right = type === "list" ? Array.isArray(given) : typeof given === type;
    if (!right) throw wrong(`${at}${name}`, expected, given);
  }
  return value as Read;
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
