// What goes wrong, as gRPC says it: a status code, and details that are fit for the caller's eyes.

import { status } from "@grpc/grpc-js";
import { TidegateError } from "tidegate";
import { describeRequestError, isCallersError } from "../request-error.ts";

/** A status to answer with. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
}

/** Returns the status for bytes or a message that cannot be decided. */
export function invalidArgument(details: string): CallStatus {
  return { code: status.INVALID_ARGUMENT, details };
}

/** Returns the status for an error; `unexpected` is told of what the caller must not see. */
export function statusOf(error: unknown, unexpected: (error: unknown) => void): CallStatus {
  if (error instanceof TidegateError) {
    if (isCallersError(error)) {
      const code = error.code === "UNKNOWN_POLICY" ? status.NOT_FOUND : status.INVALID_ARGUMENT;
      return { code, details: nameFields(describeRequestError(error)) };
    }
    if (error.code === "STORE_UNAVAILABLE") {
      unexpected(error);
      return { code: status.UNAVAILABLE, details: "the store could not decide; try again" };
    }
    if (error.code === "LIMITER_CLOSED") {
      return { code: status.UNAVAILABLE, details: "the service is stopping; try another node" };
    }
  }
  unexpected(error);
  return { code: status.INTERNAL, details: "internal error" };
}

/** Names the fields as the proto file does, where the limiter takes another unit or spelling. */
function nameFields(details: string): string {
  return details.replace(/^ttl(?= )/, "ttl_ms");
}
