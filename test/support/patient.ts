// For tests of what the store decides: a machine that is busy may be late with an answer, and a policy in a hurry would
// answer in place of the store.

import type { PolicyOptions } from "tidegate";

/** Returns policies that wait as long as they may, and then admit nothing. */
export function patient<Name extends string>(
  policies: Readonly<Record<Name, PolicyOptions>>,
): Record<Name, PolicyOptions> {
  const names = Object.keys(policies) as Name[];
  return Object.fromEntries(
    names.map((name) => [name, { deadline: "1s", onStoreFailure: "deny", ...policies[name] }]),
  ) as Record<Name, PolicyOptions>;
}
