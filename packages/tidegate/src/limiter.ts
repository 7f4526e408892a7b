// The waist: what every coordination, client and wrapper is, and all that a middleware knows.

import type { Decision } from "./decision.ts";
import type { PolicyOptions } from "./policy/policy.ts";

/** Asks for `cost` units (default 1; 0 takes nothing and is always allowed) of `policy` for `key`. */
export interface CheckRequest {
  /** Left out, or of no policy that there is: the limiter's `defaultPolicy`, where it has one. */
  readonly policy?: string;
  /** Whom it is counted for: 1 to 1,024 characters. */
  readonly key: string;
  readonly cost?: number;
  /**
   * Names this request, 1 to 128 characters, so that it may be repeated after a timeout: the same id for the same
   * policy and key, within the policy's `idTtl`, answers the same decision and is charged once.
   */
  readonly id?: string;
}

/** One limit of a policy, described for headers and status pages. */
export interface LimitDescription {
  readonly name: string;
  readonly algorithm: AlgorithmName;
  /** Capacity, count or permits, in units; of a leaky bucket, one more than its queue. */
  readonly limit: number;
  /**
   * The window, the time from empty to full, or a permit's lease, in milliseconds, rounded up; of a calendar window
   * the length of the shortest that is usual: a day, a week, 28 days.
   */
  readonly windowMs: number;
  /** Whether it only flags what goes beyond it. */
  readonly soft: boolean;
}

/** The algorithms, as they are named in configuration and on the wire. */
export type AlgorithmName =
  | "token-bucket"
  | "fixed-window"
  | "sliding-window"
  | "sliding-log"
  | "leaky-bucket"
  | "calendar-window"
  | "concurrency";

/** A policy, described: what holds for a key, or for those that no override names. */
export interface PolicyDescription {
  readonly name: string;
  /** None for a key that is unlimited or blocked. */
  readonly limits: readonly LimitDescription[];
  /** Whether it admits whatever its limits say. */
  readonly shadow: boolean;
}

/** Options of a call. */
export interface CallOptions {
  /** Rejects with the signal's reason; what was sent to a store by then may still be counted. */
  readonly signal?: AbortSignal;
}

/** Takes an estimate of `cost` units until the true cost is known. */
export interface ReserveRequest extends CheckRequest {
  /** After this long an unsettled reservation counts in full for good; "1m" by default, e.g. "30s" or milliseconds. */
  readonly ttl?: string | number;
}

/** The answer to `reserve`: the decision, and where it is allowed, what `settle` needs. */
export interface Reservation extends Decision {
  readonly id: string;
  /** The estimate that was taken. */
  readonly cost: number;
  readonly ttlMs: number;
}

/** The answer to `settle`: how the key stands now, as a look that costs nothing would say. */
export interface Settlement extends Decision {
  /**
   * False where there is no such reservation; its ttl is over, so that the estimate stays charged; or it took nothing,
   * a shadow policy having admitted it beyond its limits.
   */
  readonly settled: boolean;
}

/** The answer to `acquire`: the decision, and where it is allowed, what `release` and `extend` need. */
export interface Permit extends Decision {
  readonly id: string;
  /** The units of it; where it was held already under its id, those that it was acquired with. */
  readonly cost: number;
  /**
   * Milliseconds that it is held if it is neither released nor extended: a lease, or where it was held already, what is
   * left of that, rounded down and at least 1.
   */
  readonly leaseMs: number;
}

/** What names a permit or a reservation. A Permit and a Reservation are such themselves. */
export interface Held {
  readonly policy?: string;
  readonly key: string;
  readonly id: string;
}

/** What `withPermit` answers: the value of the work, or the denial. */
export type PermitResult<Value> =
  | { readonly allowed: true; readonly permit: Permit; readonly value: Value }
  | { readonly allowed: false; readonly permit: Permit };

/** Decides. Denials are values; what rejects is a TidegateError: a misuse, or a store that gave no answer. */
export interface Limiter {
  /** Decides one request and takes its cost where admitted. Where `delayMs` is above 0, the caller is to wait it. */
  check(request: CheckRequest, options?: CallOptions): Promise<Decision>;
  /**
   * Decides several requests, each on its own, in order, in one round trip. Where one is wrong it rejects and nothing
   * is taken; where an id was another request's before it rejects too, but all others are decided.
   */
  checkAll(requests: readonly CheckRequest[], options?: CallOptions): Promise<Decision[]>;
  /**
   * Decides several policies and keys as one, 1 to 64 of them: where one denies, nothing is taken from any. The
   * decision is that of the request that bound. Atomic in memory, on one Redis, and in a Cluster where all keys share
   * a slot; else what was taken is given back where another slot denies, and may have denied others meanwhile.
   * @param options.id as CheckRequest.id, for all of them together, in any order; the requests have none of their own.
   * It is remembered with the first of them by policy and key, in each slot, for the longest idTtl among them; where it
   * was another request's there, the call rejects and nothing is taken.
   */
  checkEvery(
    requests: readonly CheckRequest[],
    options?: CallOptions & { readonly id?: string },
  ): Promise<Decision>;
  /** Answers what `check` would, and takes nothing. */
  peek(request: CheckRequest, options?: CallOptions): Promise<Decision>;
  /**
   * Checks, and where admitted resolves when its turn has come, after `delayMs`: first come, first served among the
   * callers of this limiter for the same policy and key. A place given up by the signal stays taken.
   */
  schedule(request: CheckRequest, options?: CallOptions): Promise<Decision>;
  /** Takes an estimate, to be settled when the true cost is known. */
  reserve(request: ReserveRequest, options?: CallOptions): Promise<Reservation>;
  /**
   * Replaces a reservation's estimate by `actual` units: gives the rest back, but for what has come back by itself, or
   * charges the excess, which may leave the key in debt of as much as its limit. Settling again changes nothing. A
   * check that had an `id` is settled by that, within the policy's `idTtl`.
   */
  settle(reservation: Held, actual: number, options?: CallOptions): Promise<Settlement>;
  /** Gives `cost` units back, those taken last, and never more than were taken. Answers how the key stands then. */
  refund(request: CheckRequest, options?: CallOptions): Promise<Decision>;
  /**
   * Takes a permit of a policy with a concurrency limit; its other limits are charged as by `check`. Where it is held
   * already under its id, nothing is taken, and it is answered as it is held.
   */
  acquire(request: CheckRequest, options?: CallOptions): Promise<Permit>;
  /** Gives a permit back; false where it was not held any more. */
  release(permit: Held, options?: CallOptions): Promise<boolean>;
  /** Begins a permit's lease anew; false where it was not held any more. */
  extend(permit: Held, options?: CallOptions): Promise<boolean>;
  /**
   * Acquires a permit, runs `work`, extends the permit while it runs, and releases it however it ends. `work` is given
   * the permit and a signal that aborts where the permit is lost, or `options.signal` does.
   */
  withPermit<Value>(
    request: CheckRequest,
    work: (permit: Permit, signal: AbortSignal) => Promise<Value>,
    options?: CallOptions,
  ): Promise<PermitResult<Value>>;
  /** Forgets what the key has taken, the permits it holds included. */
  reset(request: { readonly policy?: string; readonly key: string }): Promise<void>;
  /** Describes a policy: what holds for `key`, or left out, for keys that no override names. Throws UNKNOWN_POLICY. */
  describe(policy: string, key?: string): PolicyDescription;
  /**
   * Adds a policy, or puts it in the place of the one of that name, for all calls from now on. What was consumed is
   * carried over, limit by limit in order: what a raised limit has more becomes available, and one that is lowered
   * below what is in use denies until enough of that has come back.
   * @throws TidegateError INVALID_OPTION; then nothing has changed.
   */
  setPolicy(name: string, options: PolicyOptions): void;
  /** Resolves where the store can decide; rejects with STORE_UNAVAILABLE where it cannot, within a second. */
  ping(): Promise<void>;
  /**
   * Waits for the calls in flight and closes what the limiter opened. Afterwards calls reject with LIMITER_CLOSED. What
   * waits its turn in schedule() goes when that has come; a permit held by then comes back when its lease ends.
   */
  close(): Promise<void>;
}
