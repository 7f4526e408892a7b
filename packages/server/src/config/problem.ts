// What is wrong with a configuration, said so that it can be put right: where, what, and what would be right.

import { redactRedisUrl } from "tidegate/redis";

/** One thing that is wrong. */
export interface Problem {
  /** The whole sentence, without its place. Values in it have gone through `show`, so it has no password. */
  readonly message: string;
  /** Where it is written; left out for environment variables and for files that cannot be read. */
  readonly place?: Place;
}

/** A place in a file; line and column count from 1, columns in UTF-16 code units. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Creates a problem. */
export function createProblem(message: string, place?: Place): Problem {
  return place === undefined ? { message } : { message, place };
}

/** Writes a problem as compilers do: `tidegate.yaml:4:13: policies.api…`. */
export function formatProblem({ message, place }: Problem): string {
  return place === undefined ? message : `${place.file}:${place.line}:${place.column}: ${message}`;
}

/** Orders problems as they stand in the file; those without a place come first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => {
    const lines = (a.place?.line ?? 0) - (b.place?.line ?? 0);
    return lines !== 0 ? lines : (a.place?.column ?? 0) - (b.place?.column ?? 0);
  });
}

const SHOWN_LENGTH = 80;

/** Shows a value in a message: on one line, shortened, without passwords. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value !== "string") return String(value);
  const text = value.includes(":/") ? redactRedisUrl(value) : value;
  const long = text.length > SHOWN_LENGTH;
  return JSON.stringify(long ? `${text.slice(0, SHOWN_LENGTH - 3)}...` : text);
}
