// Reads the limits of a policy or of an override.

import type { Limit } from "tidegate";
import { LIMIT_EXAMPLE, readLimit } from "./read-limit.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

const MAX_LIMITS = 8;

/** What a list of limits must be. */
export const LIMITS_EXPECTED = `a list of 1 to ${MAX_LIMITS} limits such as [${LIMIT_EXAMPLE}]`;

/** Reads a list of limits; what is wrong is reported, and undefined returned. */
export function readLimits(file: YamlFile, field: Field): readonly Limit[] | undefined {
  const items = file.readList(field, LIMITS_EXPECTED);
  if (items === undefined) return undefined;
  const refuse = (count: number, remark = "") => {
    const message = `${field.path} must be ${LIMITS_EXPECTED}, got ${count} of them${remark}`;
    file.report(file.valueNode(field), message);
    return undefined;
  };
  if (items.length < 1 || items.length > MAX_LIMITS) return refuse(items.length);
  const read = items.map((item) => readLimit(file, item));
  const limits = read.flatMap((made) => made ?? []);
  if (limits.length > MAX_LIMITS) return refuse(limits.length, ", a burst being two");
  return read.includes(undefined) ? undefined : limits;
}
