// The door "tidegate".

export type { Limit } from "./algorithms/dispatch.ts";
export type { Receipt } from "./algorithms/key-state.ts";
export { createLimiter, type LimiterOptions } from "./create-limiter.ts";
export type { Decision, Source } from "./decision.ts";
export { type ErrorCode, TidegateError } from "./errors.ts";
export type { GossipOptions } from "./gossip/gossip-options.ts";
export type {
  AlgorithmName,
  CallOptions,
  CheckRequest,
  Held,
  LimitDescription,
  Limiter,
  Permit,
  PermitResult,
  PolicyDescription,
  Reservation,
  ReserveRequest,
  Settlement,
} from "./limiter.ts";
export {
  type HeaderVersion,
  type RateLimitHeaders,
  rateLimitHeaders,
} from "./middleware/rate-limit-headers.ts";
export {
  type BurstOptions,
  burst,
  type CalendarWindowOptions,
  type ConcurrencyOptions,
  calendarWindow,
  concurrency,
  type FixedWindowOptions,
  fixedWindow,
  type LeakyBucketOptions,
  leakyBucket,
  type SlidingLogOptions,
  type SlidingWindowOptions,
  slidingLog,
  slidingWindow,
  type TokenBucketOptions,
  tokenBucket,
} from "./policy/limits.ts";
export type {
  CoordinationName,
  OnStoreFailure,
  OverrideOptions,
  Partition,
  Policy,
  PolicyOptions,
} from "./policy/policy.ts";
export type { Clock } from "./ports/clock.ts";
export type { Random } from "./ports/random.ts";
export type { Scheduler } from "./ports/scheduler.ts";
export type {
  LeaseAsk,
  LeaseBack,
  LeaseGrant,
  LeaseWork,
  Outcome,
  Part,
  RecordOptions,
  Store,
  Work,
} from "./ports/store.ts";
export type {
  CircuitChange,
  CircuitState,
  GossipMessage,
  GossipStatus,
  LeaseEvent,
  Peer,
  PeerChange,
  PeerState,
  Telemetry,
} from "./ports/telemetry.ts";
export type { Timer } from "./ports/timer.ts";
export type { Transport } from "./ports/transport.ts";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./stores/memory.ts";
