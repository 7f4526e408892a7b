// The one error of Tidegate. A denial is a value, never an error: what is thrown is a misuse or a fault.

/** What went wrong, closed: new causes get a new code here first. */
export type ErrorCode =
  | "INVALID_OPTION"
  | "INVALID_REQUEST"
  | "UNKNOWN_POLICY"
  | "STORE_UNAVAILABLE"
  | "LIMITER_CLOSED";

/** Carries a closed `code`, whether trying again may help (`transient`), and which `field` was wrong. */
export class TidegateError extends Error {
  readonly code: ErrorCode;
  readonly transient: boolean;
  /** Name of the option or request field at fault, e.g. "cost" or "policies.api.limits[0]". */
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, details: { field?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "TidegateError";
    this.code = code;
    this.transient = code === "STORE_UNAVAILABLE";
    this.field = details.field;
  }
}

/** Whether an error says that the store gave no answer. */
export function isUnavailable(error: unknown): error is TidegateError {
  return error instanceof TidegateError && error.code === "STORE_UNAVAILABLE";
}
