// What a node can spend or count in its own memory, and what only a store can decide.

import { TidegateError } from "../errors.ts";
import type { CoordinationName, Policy } from "../policy/policy.ts";

const LEASABLE = new Set(["token-bucket", "fixed-window", "sliding-window", "calendar-window"]);

/** @throws TidegateError INVALID_OPTION where a limit's units are not alike, whichever node takes them. */
export function requireLeasable(policy: Policy, coordination: CoordinationName): void {
  const { name, limits, leasable } = policy;
  if (leasable) return;
  const other = limits.find(({ soft, algorithm }) => soft || !LEASABLE.has(algorithm));
  const what = other?.soft === true ? "a soft limit" : `a limit by ${other?.algorithm}`;
  throw new TidegateError(
    "INVALID_OPTION",
    `policies.${name}.limits must be token buckets, fixed, sliding or calendar windows, none of them soft, for ` +
      `coordination "${coordination}", got ${what}; use coordination "central" for it`,
    { field: `policies.${name}.limits` },
  );
}
