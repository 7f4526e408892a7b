// What the calls of one limiter share: its policies, its telemetry, and the checks that every request goes through.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { CheckRequest, Held } from "../limiter.ts";
import { show } from "../policy/options.ts";
import { checkCost, checkId, checkKey, checkRequest, requestError } from "../policy/request.ts";
import type { Timer } from "../ports/timer.ts";
import type { Deciders, Entry, PolicyEntries, Target } from "./policy-entries.ts";
import { untilAborted } from "./until-aborted.ts";

/** What the calls are made of. */
export interface CallContext {
  readonly entries: PolicyEntries;
  /**
   * Finds a policy's entry.
   * @throws TidegateError LIMITER_CLOSED, UNKNOWN_POLICY, INVALID_REQUEST
   */
  readonly entryOf: (policy: string | undefined) => Entry;
  /** Is told of every decision that is no look; undefined where nobody listens. */
  readonly decided: ((decision: Decision) => void) | undefined;
  readonly timer: Timer;
}

/** Checks a whole request, and finds its entry. */
export function checkCheck(context: CallContext, request: CheckRequest): Entry {
  checkRequest(request);
  const entry = context.entryOf(request.policy);
  checkKey(request.key);
  if (request.cost !== undefined) checkCost(request.cost);
  checkId(request.id);
  return entry;
}

/** Checks what names a permit or reservation, and finds its entry. */
export function checkHeld(
  context: CallContext,
  held: Held,
): { readonly entry: Entry; readonly target: Target } {
  checkRequest(held);
  const entry = context.entryOf(held.policy);
  checkKey(held.key);
  if (held.id === undefined) throw requestError("id", "the id that was answered", held.id);
  checkId(held.id);
  return { entry, target: context.entries.target(entry, held.key) };
}

/** Tells a decision, and passes it on. */
export function told(context: CallContext, decision: Decision): Decision {
  context.decided?.(decision);
  return decision;
}

/** Answers a cost that the limits of a key will never admit with when others will hold that could. */
export function orLater({ laterMs }: Pick<Deciders, "laterMs">, decision: Decision): Decision {
  if (laterMs === undefined || decision.retryAfterMs !== null) return decision;
  return { ...decision, retryAfterMs: laterMs };
}

/** Throws where the policy is one that is acquired. */
export function refuseHeld({ policy }: Entry): void {
  if (!policy.holds) return;
  throw new TidegateError(
    "INVALID_REQUEST",
    `policy must be one without a concurrency limit, got ${show(policy.name)}: acquire a permit of it, ` +
      "and release that afterwards",
    { field: "policy" },
  );
}

/** Runs a call unless it is aborted before, and stops waiting for it where it is aborted meanwhile. */
export async function abortable<T>(
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  return untilAborted(call(), signal);
}
