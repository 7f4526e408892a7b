// Reads the overrides of a policy: other limits, none at all, or a block, for the keys that they name. There may be
// thousands, so what is right is checked by the library in one go, and one by one only where something is wrong.

import type { Limit, OverrideOptions } from "tidegate";
import { refusalOf, SOME_LIMITS } from "./policy-refusal.ts";
import { show } from "./problem.ts";
import { readLimits } from "./read-limits.ts";
import type { Checked } from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

const EXAMPLE = '{ key: "user:vip-*", unlimited: true }';
const EFFECTS = ["limits", "unlimited", "blocked"] as const;
const KEYS = ["key", ...EFFECTS, "until"];

interface ReadOverride {
  readonly options: OverrideOptions;
  readonly field: Field;
  readonly fields: ReadonlyMap<string, Field>;
}

/**
 * Reads `overrides`; what is wrong is reported, and undefined returned.
 * @param limits the policy's own, which those of overrides must fit; undefined where they are wrong.
 */
export function readOverrides(
  file: YamlFile,
  field: Field,
  limits: readonly Limit[] | undefined,
): readonly OverrideOptions[] | undefined {
  const items = file.readList(field, `a list of overrides such as [${EXAMPLE}]`);
  if (items === undefined) return undefined;
  const before = file.problems.length;
  const lines = new Map<string, number>();
  const read: ReadOverride[] = [];
  for (const item of items) {
    const override = readOverride(file, item, lines);
    if (override !== undefined) read.push(override);
  }
  checkOverrides(file, field, limits, read);
  return file.problems.length > before ? undefined : read.map(({ options }) => options);
}

/** @param lines where each key was first written. */
function readOverride(
  file: YamlFile,
  field: Field,
  lines: Map<string, number>,
): ReadOverride | undefined {
  const fields = file.readMap(field, KEYS, EXAMPLE);
  if (fields === undefined) return undefined;
  const before = file.problems.length;
  const keyField = fields.get("key");
  const untilField = fields.get("until");
  const key = keyField && file.readValue(keyField, checkKey);
  const until = untilField && file.readValue(untilField, checkUntil);
  if (keyField === undefined) {
    const message = `${field.path}.key is missing: write whose it is, such as key: "user:vip-*"`;
    file.report(file.valueNode(field), message);
  } else if (key !== undefined) {
    const { line } = file.place(file.valueNode(keyField));
    const first = lines.get(key);
    if (first === undefined) lines.set(key, line);
    else {
      const message = `${keyField.path} ${show(key)} is written twice, first in line ${first}`;
      file.report(file.valueNode(keyField), message);
    }
  }
  const effect = readEffect(file, field, fields);
  if (key === undefined || effect === undefined || file.problems.length > before) return undefined;
  const options = { key, ...effect, ...(until === undefined ? {} : { until }) };
  return { options, field, fields };
}

/** Reads what an override does; it does one thing. */
function readEffect(
  file: YamlFile,
  field: Field,
  fields: ReadonlyMap<string, Field>,
): Omit<OverrideOptions, "key" | "until"> | undefined {
  const given = EFFECTS.filter((name) => fields.has(name));
  const [effect] = given;
  if (effect === undefined || given.length > 1) {
    const got = given.length > 1 ? `got ${given.join(" and ")}` : "got none of them";
    const message = `${field.path} must have one of limits, unlimited: true or blocked: true, ${got}`;
    file.report(file.valueNode(field), message);
  }
  const limitsField = fields.get("limits");
  const limits = limitsField && readLimits(file, limitsField);
  for (const name of ["unlimited", "blocked"]) {
    const flag = fields.get(name);
    if (flag !== undefined) file.readValue(flag, checkTrue);
  }
  if (effect === undefined) return undefined;
  if (effect !== "limits") return { [effect]: true };
  return limits === undefined ? undefined : { limits };
}

/** Has the library check them all, and each by itself where it refuses them. */
function checkOverrides(
  file: YamlFile,
  field: Field,
  limits: readonly Limit[] | undefined,
  read: readonly ReadOverride[],
): void {
  const overrides = read.map(({ options }) => options);
  const together = refusalOf("checked", { limits: limits ?? SOME_LIMITS, overrides });
  if (together === undefined) return;
  const before = file.problems.length;
  for (const { options, field: override, fields } of read) {
    const beside = limits ?? options.limits ?? SOME_LIMITS;
    const refusal = refusalOf("checked", { limits: beside, overrides: [options] });
    if (refusal === undefined) continue;
    const part = /^policies\.checked\.overrides\[0\]((?:\.(\w+))?.*)$/.exec(refusal.field);
    const at = fields.get(part?.[2] ?? "") ?? override;
    const path = `${override.path}${part?.[1] ?? ""}`;
    // A number of milliseconds is refused here: nobody can read one, and one of seconds would be long ago. Limits that
    // were made are shown as the objects that they are, which nobody has written.
    const message = refusal.message
      .replace(refusal.field, path)
      .replace(", or milliseconds since the epoch", "")
      .replace(/, got \[\{.*$/s, "");
    file.report(file.valueNode(at), message);
  }
  if (file.problems.length > before || limits === undefined) return;
  file.report(file.valueNode(field), `${field.path}: ${together.message}`);
}

function checkKey(value: unknown): Checked<string> {
  if (typeof value === "string") return { value };
  const quote = typeof value === "number" ? `; write key: "${value}"` : "";
  return {
    wrong: `must be a text such as "user:42" or "user:vip-*", got ${show(value)}${quote}`,
  };
}

function checkUntil(value: unknown): Checked<string> {
  if (typeof value === "string") return { value };
  const expected = 'an instant with its offset, such as "2027-01-31T12:00:00Z"';
  return { wrong: `must be ${expected}, got ${show(value)}` };
}

function checkTrue(value: unknown): Checked<true> {
  if (value === true) return { value };
  return { wrong: `must be true, got ${show(value)}; leave it out where it is not so` };
}
