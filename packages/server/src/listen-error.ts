// The error for a port that cannot be listened on.

import { TidegateError } from "tidegate";

/** Creates the error, naming the option, the address and the cause. */
export function listenError(
  field: "httpPort" | "grpcPort" | "adminPort" | "peersPort",
  host: string,
  port: number,
  cause: unknown,
): TidegateError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = text.includes("EADDRINUSE")
    ? "something else listens there already"
    : text.includes("EACCES")
      ? "this user may not (ports below 1024 need a privilege)"
      : text;
  return new TidegateError(
    "INVALID_OPTION",
    `${field} must be a port that can be listened on, got ${port} on ${host}: ${reason}`,
    { field, cause },
  );
}
