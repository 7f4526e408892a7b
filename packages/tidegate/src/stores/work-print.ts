// Tells whether two pieces of work that came under one id are the same, in every store alike.

import { TidegateError } from "../errors.ts";
import { show } from "../policy/options.ts";
import type { Part, RecordOptions } from "../ports/store.ts";

/** Says what is asked for: the same for the same request. The first policy and key are in its record's name. */
export function askedOf(
  kind: "take" | "give",
  parts: readonly Part[],
  whole: RecordOptions["whole"],
): string {
  const [first, ...others] = parts;
  const all = whole === undefined ? "" : `/${whole.map(textOf).sort().join("")}`;
  return `${kind === "give" ? "-" : ""}${first!.cost}${others.map(textOf).join("")}${all}`;
}

function textOf({ policy, key, cost }: Part): string {
  return `;${policy.name}:${key.length}:${key}:${cost}`;
}

/** Whether what was asked took an estimate, which may be settled: units of one part, and of no group. */
export function isEstimate(asked: string): boolean {
  return /^\d+$/.test(asked);
}

/** Says under which limits: the same while an answer reads the same. */
export function limitsOf(parts: readonly Part[]): string {
  return parts.map(({ policy }) => policy.identity).join(";");
}

/** Creates the error for an id that came with two different requests. */
export function reusedId(id: string): TidegateError {
  return new TidegateError(
    "INVALID_REQUEST",
    `id must name one request only, got ${show(id)}, which came with another cost or other keys before`,
    { field: "id" },
  );
}
