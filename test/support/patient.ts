// For tests of what the store decides: a machine that is busy may be late with an answer, and a policy in a hurry would
// answer in place of the store.

import type { PolicyOptions } from "tidegate";

/** Returns policies that wait as long as they may, and then admit nothing. */
export function patient<Name extends string>(
  policies: Readonly<Record<Name, PolicyOptions>>,
): Record<Name, PolicyOptions> {
  const all = Object.entries<PolicyOptions>(policies);
  return Object.fromEntries(all.map(([name, options]) => [name, patiently(options)])) as Record<
    Name,
    PolicyOptions
  >;
}

/** Returns options of a policy that waits as long as it may, and then admits nothing. */
export function patiently(options: PolicyOptions): PolicyOptions {
  return { deadline: "1s", onStoreFailure: "deny", ...options };
}
