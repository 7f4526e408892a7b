// The waist: what every coordination, client and wrapper is, and all that a middleware knows.

import type { Decision } from "./decision.ts";

/** Asks for `cost` units (default 1; 0 takes nothing and is always allowed) of `policy` for `key`. */
export interface CheckRequest {
  readonly policy: string;
  /** Whom it is counted for: 1 to 1,024 characters. */
  readonly key: string;
  readonly cost?: number;
}

/** One limit of a policy, described for headers and status pages. */
export interface LimitDescription {
  readonly name: string;
  readonly algorithm: "token-bucket" | "fixed-window";
  /** Capacity or count, in units. */
  readonly limit: number;
  /** The window, or the time from empty to full, in milliseconds, rounded up. */
  readonly windowMs: number;
}

/** A policy, described. */
export interface PolicyDescription {
  readonly name: string;
  readonly limits: readonly LimitDescription[];
}

/** Decides. Denials are values; what rejects is a TidegateError: a misuse, or a store that gave no answer. */
export interface Limiter {
  /**
   * Decides one request and takes its cost where admitted.
   * @param options.signal rejects with the signal's reason; what was sent to a store by then may still be counted.
   */
  check(request: CheckRequest, options?: { readonly signal?: AbortSignal }): Promise<Decision>;
  /** Decides several requests, each on its own, in order, in one round trip. */
  checkAll(
    requests: readonly CheckRequest[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<Decision[]>;
  /** Answers what `check` would, and takes nothing. */
  peek(request: CheckRequest, options?: { readonly signal?: AbortSignal }): Promise<Decision>;
  /** Forgets what the key has taken. */
  reset(request: { readonly policy: string; readonly key: string }): Promise<void>;
  /** Describes a policy; throws UNKNOWN_POLICY. */
  describe(policy: string): PolicyDescription;
  /** Resolves where the store can decide; rejects with STORE_UNAVAILABLE where it cannot. */
  ping(): Promise<void>;
  /** Waits for the calls in flight and closes what the limiter opened. Afterwards calls reject with LIMITER_CLOSED. */
  close(): Promise<void>;
}
