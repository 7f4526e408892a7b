// Words an error about a request for the one who sent it, the same over every door.

import type { TidegateError } from "tidegate";

/** Tells whether the request was wrong, rather than the service or its store. */
export function isCallersError(error: TidegateError): boolean {
  return error.code === "INVALID_REQUEST" || error.code === "UNKNOWN_POLICY";
}

/** Returns the message, with the whole path of the field where it speaks of one request of a batch. */
export function describeRequestError(error: TidegateError): string {
  const match = /^(requests\[\d+\]): /.exec(error.message);
  if (match === null) return error.message;
  const rest = error.message.slice(match[0].length);
  const prefix = match[1]!;
  const name = error.field?.slice(prefix.length + 1);
  const named = name !== undefined && name !== "" && rest.startsWith(`${name} `);
  return named ? `${prefix}.${rest}` : `${error.field ?? prefix}: ${rest}`;
}
