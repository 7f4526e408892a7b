// Reads the policies of a file.

import type { OnStoreFailure, Partition, PolicyOptions } from "tidegate";
import { checkLeaseOption, checkPolicyOption, refusalOf, SOME_LIMITS } from "./policy-refusal.ts";
import { LIMIT_EXAMPLE } from "./read-limit.ts";
import { LIMITS_EXPECTED, readLimits } from "./read-limits.ts";
import { readOverrides } from "./read-overrides.ts";
import {
  type Checked,
  COORDINATIONS,
  checkDuration,
  checkFlag,
  checkWeight,
  checkWord,
} from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

const KEYS = [
  ...["limits", "coordination", "nearLimit", "shadow", "idTtl", "overrides"],
  ...["deadline", "onStoreFailure", "syncInterval", "leaseFraction", "maxOvershoot"],
  ...["partition", "regions"],
];
const PARTITIONS: readonly Partition[] = ["full", "share"];
const FAILURE_ANSWERS: readonly OnStoreFailure[] = ["allow", "deny", "local"];

/** A policy that is right by itself, and where it is written. */
export interface ReadPolicy {
  readonly options: PolicyOptions;
  /** What it sets, by key. */
  readonly fields: ReadonlyMap<string, Field>;
}

/** The policies of a file. */
export interface ReadPolicies {
  readonly policies: ReadonlyMap<string, ReadPolicy>;
  /** Of all that are written, those included that are wrong and so left out above. */
  readonly names: readonly string[];
}

/** Reads `policies`; a policy that is wrong is reported and left out. */
export function readPolicies(file: YamlFile, field: Field): ReadPolicies {
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
  return { policies, names: [...(fields?.keys() ?? [])] };
}

function readPolicy(file: YamlFile, field: Field): ReadPolicy | undefined {
  const before = file.problems.length;
  const fields = file.readMap(field, KEYS, `{ limits: [${LIMIT_EXAMPLE}] }`);
  if (fields === undefined) return undefined;
  const read = (name: string, check: (value: unknown) => Checked<unknown>) => {
    const given = fields.get(name);
    const value = given && file.readValue(given, check);
    return value === undefined ? {} : { [name]: value };
  };
  const settings: Omit<PolicyOptions, "limits"> = {
    ...read("coordination", (value) => checkWord(COORDINATIONS, value)),
    ...read("nearLimit", (value) => checkPolicyOption("nearLimit", value)),
    ...read("shadow", checkFlag),
    ...read("idTtl", (value) => checkTime("idTtl", value)),
    ...read("deadline", (value) => checkTime("deadline", value)),
    ...read("onStoreFailure", (value) => checkWord(FAILURE_ANSWERS, value)),
  };
  // Whether it has leases or gossips is known with the whole file and the environment only.
  const ownedSettings: Omit<PolicyOptions, "limits"> = {
    ...read("syncInterval", (value) => checkTime("syncInterval", value)),
    ...read("leaseFraction", (value) => checkLeaseOption("leaseFraction", value)),
    ...read("maxOvershoot", (value) => checkLeaseOption("maxOvershoot", value)),
    ...read("partition", (value) => checkWord(PARTITIONS, value)),
    ...readRegions(file, fields.get("regions")),
  };
  const limitsField = fields.get("limits");
  const limits = limitsField && readLimits(file, limitsField);
  if (limitsField === undefined) {
    file.report(field.key, `${field.path}.limits is missing: write ${LIMITS_EXPECTED}`);
  }
  const overridesField = fields.get("overrides");
  const overrides = overridesField && readOverrides(file, overridesField, limits);
  const { coordination, ...decided } = settings;
  // A policy whose limits are wrong may have a wrong name besides.
  checkWhole(file, field, fields, {
    ...decided,
    // Any other needs a store, which is not looked at here.
    ...(coordination === "local" || coordination === "gossip" ? { coordination } : {}),
    limits: limits ?? SOME_LIMITS,
    ...(overrides === undefined ? {} : { overrides }),
  });
  if (limits === undefined || file.problems.length > before) return undefined;
  return {
    options: {
      ...settings,
      ...ownedSettings,
      limits,
      ...(overrides === undefined ? {} : { overrides }),
    },
    fields,
  };
}

/** Reads the weights of regions; that this node's is among them is checked with the whole. */
function readRegions(file: YamlFile, field: Field | undefined): Pick<PolicyOptions, "regions"> {
  const weights = field && file.readMap(field, undefined, "{ eu: 3, us: 1 }");
  if (weights === undefined) return {};
  const read = Array.from(weights, ([region, weight]) => {
    return [region, file.readValue(weight, checkWeight)] as const;
  });
  return { regions: Object.fromEntries(read.map(([region, value]) => [region, value ?? 1])) };
}

/** Has the library check what only the whole policy shows: its own name, and that its limits' names differ. */
function checkWhole(
  file: YamlFile,
  policy: Field,
  fields: ReadonlyMap<string, Field>,
  options: PolicyOptions,
): void {
  const refusal = refusalOf(policy.name, options);
  if (refusal === undefined) return;
  const { field, message } = refusal;
  const prefix = `policies.${policy.name}.`;
  const name = field.startsWith(prefix) ? /^\w*/.exec(field.slice(prefix.length))![0] : "";
  const at = fields.get(name);
  if (at === undefined) file.report(policy.key, `${policy.path}: ${message}`);
  else file.report(file.valueNode(at), message);
}

function checkTime(
  option: "idTtl" | "deadline" | "syncInterval",
  value: unknown,
): Checked<unknown> {
  const checked = checkDuration(value);
  if ("wrong" in checked) return checked;
  return option === "syncInterval"
    ? checkLeaseOption(option, value)
    : checkPolicyOption(option, value);
}
