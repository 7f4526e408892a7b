// Joins the header fields of several middlewares that answer for one request: both fields are lists, so each policy
// adds its items. Where two items have one name, the tighter is told, and a denial always is.

import type { Decision } from "../decision.ts";
import type { RateLimitHeaders } from "./rate-limit-headers.ts";

interface Written {
  readonly policies: Set<string>;
  readonly items: Map<string, { readonly text: string; readonly remaining: number }>;
}

const writtenByResponse = new WeakMap<object, Written>();

/** Returns the fields to set on `response` for this decision and those written to it before. */
export function combineHeaders(
  response: object,
  decision: Decision,
  headers: RateLimitHeaders,
): RateLimitHeaders {
  // A policy that tells nothing leaves what the others told.
  const { "RateLimit-Policy": policies, RateLimit: text } = headers;
  if (policies === undefined || text === undefined) return headers;
  let written = writtenByResponse.get(response);
  if (written === undefined) {
    written = { policies: new Set(), items: new Map() };
    writtenByResponse.set(response, written);
  }
  written.policies.add(policies);
  const before = written.items.get(decision.limitName);
  if (before === undefined || !decision.allowed || decision.remaining <= before.remaining) {
    written.items.set(decision.limitName, { text, remaining: decision.remaining });
  }
  return {
    ...headers,
    "RateLimit-Policy": [...written.policies].join(", "),
    RateLimit: [...written.items.values()].map((item) => item.text).join(", "),
  };
}
