// The door "tidegate".

export type { Limit } from "./algorithms/decide.ts";
export { createLimiter, type LimiterOptions } from "./create-limiter.ts";
export type { Decision, Source } from "./decision.ts";
export { type ErrorCode, TidegateError } from "./errors.ts";
export type { CheckRequest, LimitDescription, Limiter, PolicyDescription } from "./limiter.ts";
export {
  type HeaderVersion,
  type RateLimitHeaders,
  rateLimitHeaders,
} from "./middleware/rate-limit-headers.ts";
export {
  type FixedWindowOptions,
  fixedWindow,
  type TokenBucketOptions,
  tokenBucket,
} from "./policy/limits.ts";
export type { CoordinationName, Policy, PolicyOptions } from "./policy/policy.ts";
export type { Clock } from "./ports/clock.ts";
export type { Random } from "./ports/random.ts";
export type { Scheduler } from "./ports/scheduler.ts";
export type { Store } from "./ports/store.ts";
export type { Telemetry } from "./ports/telemetry.ts";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./stores/memory.ts";
