// Checks requests on their way in. The refusals stand apart from the checks, which so stay small enough to be compiled
// into the path of a decision.

import { TidegateError } from "../errors.ts";
import { MAX_UNITS } from "./limits.ts";
import { show } from "./options.ts";

/** The longest key, in UTF-16 code units. */
export const MAX_KEY_LENGTH = 1_024;

/** Throws where `request` is not an object. */
export function checkRequest(request: unknown): void {
  if (typeof request === "object" && request !== null) return;
  throw requestError("request", "an object with policy and key", request);
}

/** Checks a whole batch before any of it is decided, so that a wrong request takes nothing for the others. */
export function checkRequests<Request>(
  requests: readonly Request[],
  checkOne: (request: Request) => void,
): void {
  if (!Array.isArray(requests)) {
    throw requestError("requests", "a list of requests", requests);
  }
  let index = 0;
  try {
    for (; index < requests.length; index += 1) checkOne(requests[index]!);
  } catch (error) {
    if (!(error instanceof TidegateError) || error.field === undefined) throw error;
    const path = `requests[${index}]`;
    throw new TidegateError(error.code, `${path}: ${error.message}`, {
      field: error.field === "request" ? path : `${path}.${error.field}`,
    });
  }
}

/** Throws where `key` is not a key. */
export function checkKey(key: unknown): void {
  if (typeof key === "string" && key.length > 0 && key.length <= MAX_KEY_LENGTH) return;
  throw keyError(key);
}

function keyError(key: unknown): TidegateError {
  const got = typeof key === "string" && key.length > 0 ? `${key.length} characters` : show(key);
  return new TidegateError(
    "INVALID_REQUEST",
    `key must be a string of 1 to ${MAX_KEY_LENGTH} characters, got ${got}`,
    { field: "key" },
  );
}

/** Throws where `cost` is not a whole number of units. */
export function checkCost(cost: unknown): void {
  if (Number.isInteger(cost) && (cost as number) >= 0 && (cost as number) <= MAX_UNITS) return;
  throw costError(cost);
}

function costError(cost: unknown): TidegateError {
  return requestError("cost", `a whole number from 0 to ${MAX_UNITS}`, cost);
}

/** The longest id of a request, reservation or permit, in UTF-16 code units. */
export const MAX_ID_LENGTH = 128;

/** Throws where `id` is given and is none. */
export function checkId(id: unknown): void {
  if (id === undefined) return;
  if (typeof id === "string" && id.length > 0 && id.length <= MAX_ID_LENGTH) return;
  const got = typeof id === "string" && id.length > 0 ? `${id.length} characters` : show(id);
  throw new TidegateError(
    "INVALID_REQUEST",
    `id must be a string of 1 to ${MAX_ID_LENGTH} characters, got ${got}`,
    { field: "id" },
  );
}

/** Creates the error for a request that is wrong: "cost must be a whole number, got 1.5". */
export function requestError(field: string, expected: string, value: unknown): TidegateError {
  return new TidegateError("INVALID_REQUEST", `${field} must be ${expected}, got ${show(value)}`, {
    field,
  });
}
