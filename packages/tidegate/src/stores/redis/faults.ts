// Words for what went wrong with Redis, so that whoever reads the log knows what to change.

import { TidegateError } from "../../errors.ts";

/** Creates the error for a call that Redis did not answer; `cluster` says whether the client follows a Cluster. */
export function storeUnavailable(cause: unknown, cluster: boolean): TidegateError {
  if (cause instanceof TidegateError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const words =
    !cluster && /^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN)\b/.test(reason)
      ? `it is a node of a Cluster; use a redis+cluster:// URL or a client of a Cluster (${reason})`
      : reason;
  return new TidegateError("STORE_UNAVAILABLE", `Redis gave no answer: ${words}`, { cause });
}

/** Creates the error for a check that would wait behind more than memory should hold. */
export function tooManyWaiting(waiting: string): TidegateError {
  return new TidegateError(
    "STORE_UNAVAILABLE",
    `Redis gave no answer: ${waiting} wait for one already`,
  );
}

/** Whether Redis answered that it cannot write, being a replica. Redis 6 names it inside the script's error. */
export function isReadOnly(error: Error): boolean {
  return /\bREADONLY\b/.test(error.message);
}
