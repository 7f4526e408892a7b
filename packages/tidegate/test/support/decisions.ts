// Decisions as a store would answer them, for what keeps or combines them.

import type { Decision, Policy } from "tidegate";

/** A denial by a policy's first limit, but for what is given. */
export function denialOf(
  policy: Policy,
  key: string,
  retryAfterMs: number | null,
  fields: Partial<Decision> = {},
): Decision {
  return {
    allowed: false,
    policy: policy.name,
    key,
    limitName: policy.limitNames[0]!,
    limit: policy.limits[0]!.limit,
    remaining: 0,
    retryAfterMs,
    resetAfterMs: retryAfterMs ?? 0,
    delayMs: 0,
    soft: false,
    nearLimit: true,
    shadow: false,
    source: "store",
    ...fields,
  };
}

/** An admission by a policy's first limit, but for what is given. */
export function admissionOf(policy: Policy, key: string, fields: Partial<Decision> = {}): Decision {
  return denialOf(policy, key, 0, { allowed: true, remaining: 1, nearLimit: false, ...fields });
}
