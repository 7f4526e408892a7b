// Checks options as people write them. Every message names the option, the value, and what would be right.

import { TidegateError } from "../errors.ts";

/** Shows a value in a message, shortened to one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clip(value));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) {
    try {
      return clip(JSON.stringify(value) ?? String(value));
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/**
 * Creates the error for an option that is wrong: "capacity must be a positive integer, got -1". A remark, such as what
 * was understood of the value, follows in parentheses.
 */
export function optionError(
  field: string,
  expected: string,
  value: unknown,
  remark = "",
): TidegateError {
  const after = remark === "" ? "" : ` (${remark})`;
  const message = `${field} must be ${expected}, got ${show(value)}${after}`;
  return new TidegateError("INVALID_OPTION", message, { field });
}

/** Returns `value` where it is an integer from 1 to `max`, else throws naming `field`. */
export function positiveInteger(field: string, value: unknown, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw optionError(field, "a positive integer", value);
  }
  if (value > max) throw optionError(field, `at most ${max}`, value);
  return value;
}

/** Throws where `port` is given and has no function `method`. */
export function checkPort(field: string, port: unknown, method: string): void {
  if (port === undefined) return;
  const found = typeof port === "object" && port !== null && method in port;
  if (found && typeof (port as Record<string, unknown>)[method] === "function") return;
  throw optionError(field, `an object with ${method}()`, port);
}

/** Throws where `options` is not a plain object or has a key that is not in `known`, naming the nearest known one. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw optionError(where, `an object with ${known.join(", ")}`, options);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new TidegateError("INVALID_OPTION", unknownName("option", key, where, known), {
        field: key,
      });
    }
  }
}

/** Words the refusal of an unknown name, with the nearest known one where there is one. */
export function unknownName(
  kind: string,
  name: string,
  where: string,
  known: readonly string[],
): string {
  const nearest = nearestOf(name, known);
  const hint =
    nearest === undefined ? `known are ${known.join(", ")}` : `did you mean ${show(nearest)}?`;
  return `unknown ${kind} ${show(name)} of ${where}; ${hint}`;
}

/** Names longer than this are near to none, and comparing them would take long. */
const MAX_NAME_LENGTH = 64;

/** Finds the known name that is nearest to a misspelt one; undefined where none is near. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(name.length / 2) + 1);
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance, by rows. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(
        Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + same),
      );
    }
    previous = current;
  }
  return previous[b.length]!;
}
