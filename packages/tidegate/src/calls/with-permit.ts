// Runs work while a permit is held: extends it in time, tells the work where it was lost, and gives it back however
// the work ends.

import type { Limiter, Permit, PermitResult } from "../limiter.ts";
import { requestError } from "../policy/request.ts";
import type { Timer } from "../ports/timer.ts";

/** A permit is extended this many times in a lease, so that one call that fails does not lose it. */
const EXTENSIONS_PER_LEASE = 3;

/** What is needed of a limiter. */
type PermitCalls = Pick<Limiter, "release" | "extend">;

/** A permit, and the lease that extending it begins: of one that was held already, longer than what is left of it. */
export interface PermitLease {
  readonly permit: Permit;
  readonly leaseMs: number;
}

/**
 * See Limiter.withPermit.
 * @param acquire acquires the permit, unless `aborted` was before.
 */
export async function withPermit<Value>(
  limiter: PermitCalls,
  acquire: () => Promise<PermitLease>,
  timer: Timer,
  work: (permit: Permit, signal: AbortSignal) => Promise<Value>,
  aborted: AbortSignal | undefined,
): Promise<PermitResult<Value>> {
  if (typeof work !== "function")
    throw requestError("work", "a function that is given a permit", work);
  const lease = await acquire();
  const { permit } = lease;
  if (!permit.allowed) return { allowed: false, permit };
  const lost = new AbortController();
  const signal = aborted === undefined ? lost.signal : AbortSignal.any([aborted, lost.signal]);
  const stop = keep(limiter, timer, lease, lost);
  try {
    return { allowed: true, permit, value: await work(permit, signal) };
  } finally {
    stop();
    // Where this fails, the permit comes back when its lease ends; that must not hide what the work answered.
    await limiter.release(permit).catch(() => false);
  }
}

/** Extends a permit until it is stopped; aborts where the permit is not held any more, or its lease ended meanwhile. */
function keep(
  limiter: PermitCalls,
  timer: Timer,
  { permit, leaseMs }: PermitLease,
  lost: AbortController,
): () => void {
  // A shadow's denial and a key without a limit hold nothing that could be lost.
  if (permit.shadow || permit.leaseMs === 0) return () => {};
  const pauseOf = (ms: number) => Math.max(Math.floor(ms / EXTENSIONS_PER_LEASE), 1);
  let pauseMs = pauseOf(permit.leaseMs);
  let stopped = false;
  let cancelPause = () => {};
  const lose = () => lost.abort(new Error(`the permit "${permit.id}" is not held any more`));
  let cancelEnd = timer.after(permit.leaseMs, lose);
  const stop = () => {
    stopped = true;
    cancelPause();
    cancelEnd();
  };
  const extend = async () => {
    // From before the call: the store begins the lease anew while it is under way, and its answer may take its time.
    const cancelNext = timer.after(leaseMs, lose);
    const held = await limiter.extend(permit).catch(() => undefined);
    if (stopped || held !== true) cancelNext();
    if (stopped) return;
    if (held === false) {
      stop();
      lose();
      return;
    }
    if (held === true) {
      cancelEnd();
      cancelEnd = cancelNext;
      pauseMs = pauseOf(leaseMs);
    }
    cancelPause = timer.after(pauseMs, extend);
  };
  cancelPause = timer.after(pauseMs, extend);
  return stop;
}
