// Tells whether two pieces of work that came under one id are the same, in every store alike.

import { TidegateError } from "../errors.ts";
import { show } from "../policy/options.ts";
import type { Part } from "../ports/store.ts";

/** Says what is asked for: the same for the same request. The first policy and key are in its record's name. */
export function askedOf(kind: "take" | "give", parts: readonly Part[]): string {
  const [first, ...others] = parts;
  const rest = others.map(
    ({ policy, key, cost }) => `;${policy.name}:${key.length}:${key}:${cost}`,
  );
  return `${kind === "give" ? "-" : ""}${first!.cost}${rest.join("")}`;
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
