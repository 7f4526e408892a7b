// Reads a whole configuration file: each setting is checked by itself and keeps the place where it is written.

import type { CoordinationName, PolicyOptions } from "tidegate";
import type { Place } from "./problem.ts";
import { LIMIT_EXAMPLE } from "./read-limit.ts";
import { PEERS_SECTIONS, readPeersSettings } from "./read-peers.ts";
import { type ReadPolicy, readPolicies } from "./read-policies.ts";
import type { ReadSettings, Settings } from "./settings.ts";
import {
  type Checked,
  COORDINATIONS,
  checkDrainTimeout,
  checkExpectedNodes,
  checkHost,
  checkPolicyName,
  checkPort,
  checkRegion,
  checkStore,
  checkWord,
  LOG_LEVELS,
} from "./values.ts";
import { type Field, YamlFile } from "./yaml-file.ts";

/** A policy, and where the values of its keys are written. */
export interface PlacedPolicy {
  readonly options: PolicyOptions;
  /** By key; empty of a policy that no file has. */
  readonly places: ReadonlyMap<string, Place>;
}

/** What a file sets; policies that are wrong are left out. */
export interface FileSettings extends ReadSettings {
  readonly policies: ReadonlyMap<string, PlacedPolicy>;
  /** Of all policies that are written, those included that are wrong. */
  readonly policyNames: readonly string[];
}

const KEYS = [
  "store",
  "coordination",
  "policies",
  "defaultPolicy",
  "expectedNodes",
  "region",
  "host",
  "ports",
  "log",
  "drain",
  ...PEERS_SECTIONS,
];
const EXAMPLE = `{ policies: { api: { limits: [${LIMIT_EXAMPLE}] } } }`;

/** Reads the bytes of the file called `name`. */
export function readFileSettings(name: string, bytes: Uint8Array): FileSettings {
  const file = new YamlFile(name, bytes);
  const { root } = file;
  const nothing = {
    policies: new Map(),
    policyNames: [],
    wrong: new Set<never>(),
    problems: file.problems,
  };
  if (root === null) return nothing;
  const top: Field = { path: "", name: "", key: root, value: root };
  const fields = file.readMap(top, KEYS, EXAMPLE);
  if (fields === undefined) return nothing;
  const inside = (name: string, known: readonly string[], example: string) => {
    const field = fields.get(name);
    return (field && file.readMap(field, known, example)) ?? new Map<string, Field>();
  };
  const ports = inside(
    "ports",
    ["http", "grpc", "admin"],
    "{ http: 8080, grpc: 8081, admin: 8082 }",
  );
  const log = inside("log", ["level"], "{ level: info }");
  const drain = inside("drain", ["timeout"], "{ timeout: 10s }");
  const wrong = new Set<keyof Settings>();
  const read = <T>(
    setting: keyof Settings,
    field: Field | undefined,
    check: (value: unknown) => Checked<T>,
  ) => {
    if (field === undefined) return undefined;
    const value = file.readValue(field, check);
    if (value !== undefined) return { value, place: file.place(file.valueNode(field)) };
    wrong.add(setting);
    return undefined;
  };
  const policiesField = fields.get("policies");
  if (policiesField === undefined) {
    file.report(root, `policies is missing: write at least one, such as ${EXAMPLE.slice(2, -2)}`);
  }
  const { policies, names } =
    policiesField === undefined
      ? { policies: new Map(), names: [] }
      : readPolicies(file, policiesField);
  return {
    ...readPeersSettings(file, fields, wrong),
    store: read("store", fields.get("store"), checkStore),
    coordination: read<CoordinationName>("coordination", fields.get("coordination"), (value) => {
      return checkWord(COORDINATIONS, value);
    }),
    defaultPolicy: read("defaultPolicy", fields.get("defaultPolicy"), checkPolicyName),
    expectedNodes: read("expectedNodes", fields.get("expectedNodes"), checkExpectedNodes),
    region: read("region", fields.get("region"), checkRegion),
    host: read("host", fields.get("host"), checkHost),
    httpPort: read("httpPort", ports.get("http"), checkPort),
    grpcPort: read("grpcPort", ports.get("grpc"), checkPort),
    adminPort: read("adminPort", ports.get("admin"), checkPort),
    logLevel: read("logLevel", log.get("level"), (value) => checkWord(LOG_LEVELS, value)),
    drainTimeoutMs: read("drainTimeoutMs", drain.get("timeout"), checkDrainTimeout),
    wrong,
    policies: placePolicies(file, policies),
    policyNames: names,
    problems: file.problems,
  };
}

function placePolicies(
  file: YamlFile,
  policies: ReadonlyMap<string, ReadPolicy>,
): Map<string, PlacedPolicy> {
  const place = ({ options, fields }: ReadPolicy): PlacedPolicy => {
    const places = Array.from(fields, ([key, field]) => {
      return [key, file.place(file.valueNode(field))] as const;
    });
    return { options, places: new Map(places) };
  };
  return new Map(Array.from(policies, ([name, policy]) => [name, place(policy)]));
}
