// Reads the policies of a file.

import {
  createLimiter,
  fixedWindow,
  type Limit,
  type PolicyOptions,
  TidegateError,
} from "tidegate";
import { LIMIT_EXAMPLE, readLimit } from "./read-limit.ts";
import { COORDINATIONS, checkWord, messageOf } from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

const MAX_LIMITS = 8;

/** A policy that is right by itself, and where it is written. */
export interface ReadPolicy {
  readonly options: PolicyOptions;
  readonly coordination: Field | undefined;
}

/** Reads `policies`; a policy that is wrong is reported and left out. */
export function readPolicies(file: YamlFile, field: Field): Map<string, ReadPolicy> {
  const policies = new Map<string, ReadPolicy>();
  const example = `{ api: { limits: [${LIMIT_EXAMPLE}] } }`;
  const fields = file.readMap(field, undefined, example);
  if (fields?.size === 0) {
    const message = `${field.path} must have at least one policy, such as ${example}`;
    file.report(file.valueNode(field), message);
  }
  for (const policy of fields?.values() ?? []) {
    const read = readPolicy(file, policy);
    if (read !== undefined) policies.set(policy.name, read);
  }
  return policies;
}

function readPolicy(file: YamlFile, field: Field): ReadPolicy | undefined {
  const fields = file.readMap(field, ["limits", "coordination"], `{ limits: [${LIMIT_EXAMPLE}] }`);
  if (fields === undefined) return undefined;
  const coordination = fields.get("coordination");
  const word =
    coordination && file.readValue(coordination, (value) => checkWord(COORDINATIONS, value));
  const limits = readLimits(file, field, fields.get("limits"));
  const whole = checkWhole(file, field, fields.get("limits"), limits);
  if (!whole || limits === undefined || (coordination !== undefined && word === undefined)) {
    return undefined;
  }
  return {
    options: { limits, ...(word === undefined ? {} : { coordination: word }) },
    coordination,
  };
}

function readLimits(file: YamlFile, policy: Field, field: Field | undefined): Limit[] | undefined {
  const expected = `a list of 1 to ${MAX_LIMITS} limits such as [${LIMIT_EXAMPLE}]`;
  if (field === undefined) {
    file.report(policy.key, `${policy.path}.limits is missing: write ${expected}`);
    return undefined;
  }
  const items = file.readList(field, expected);
  if (items === undefined) return undefined;
  if (items.length < 1 || items.length > MAX_LIMITS) {
    file.report(
      file.valueNode(field),
      `${field.path} must be ${expected}, got ${items.length} of them`,
    );
    return undefined;
  }
  const limits = items.map((item) => readLimit(file, item));
  return limits.every((limit) => limit !== undefined) ? limits : undefined;
}

/** Has the library check what only the whole policy shows: its own name, and that its limits' names differ. */
function checkWhole(
  file: YamlFile,
  policy: Field,
  limitsField: Field | undefined,
  limits: readonly Limit[] | undefined,
): boolean {
  // A policy whose limits are wrong may have a wrong name besides.
  const checked = limits ?? [fixedWindow({ limit: 1, window: "1s" })];
  try {
    createLimiter({ policies: { [policy.name]: { limits: checked } } });
    return true;
  } catch (error) {
    const message = messageOf(error);
    const ofLimits = error instanceof TidegateError && error.field?.endsWith(".limits") === true;
    if (ofLimits && limitsField !== undefined) file.report(file.valueNode(limitsField), message);
    else file.report(policy.key, `${policy.path}: ${message}`);
    return false;
  }
}
