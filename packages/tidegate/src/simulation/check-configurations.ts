// Checks the configurations of a scenario that are compared.

import { checkGossip } from "../gossip/gossip-options.ts";
import { optionError } from "../policy/options.ts";
import {
  COORDINATIONS,
  type CoordinationName,
  createPolicy,
  type Policy,
  type PolicyOptions,
} from "../policy/policy.ts";
import type { CheckedNodes } from "./check-nodes.ts";
import type { OptionReader } from "./option-reader.ts";
import type { ConfigurationOptions, Scenario } from "./scenario.ts";

/** The policy that is simulated. */
export const POLICY = "simulated";

/** A configuration, checked. */
export interface CheckedConfiguration {
  readonly name: string;
  readonly coordination: CoordinationName;
  /** As a limiter takes it. */
  readonly options: PolicyOptions;
  /** With the whole of the limits, where regions have parts. */
  readonly policy: Policy;
  /** Of "gossip" alone. */
  readonly gossip: GossipSettings | undefined;
}

/** How the nodes gossip, checked, and as a limiter takes it. */
export interface GossipSettings {
  readonly options: NonNullable<ConfigurationOptions["gossip"]>;
  readonly intervalMs: number;
  readonly regionIntervalMs: number;
}

const CONFIGURATION_OPTIONS = [
  ...["limits", "coordination", "onStoreFailure", "deadline", "nearLimit", "idTtl"],
  ...["syncInterval", "leaseFraction", "maxOvershoot", "partition", "regions", "gossip"],
];
const GOSSIP_OPTIONS = ["interval", "fanout", "regionInterval", "maxMessageBytes"];
const MAX_CONFIGURATIONS = 8;

/** Options that mean something for some coordinations alone. */
const OWNED: readonly (readonly [
  owners: readonly CoordinationName[],
  options: readonly string[],
])[] = [
  [["hybrid"], ["syncInterval", "leaseFraction", "maxOvershoot"]],
  [["gossip"], ["partition", "gossip"]],
  [["central", "hybrid", "gossip"], ["regions"]],
  [
    ["central", "hybrid"],
    ["deadline", "onStoreFailure"],
  ],
];

/** Checks all configurations. */
export function checkConfigurations(
  reader: OptionReader,
  configurations: Scenario["configurations"],
  placed: Pick<CheckedNodes, "regions">,
): CheckedConfiguration[] {
  const isMap =
    typeof configurations === "object" && configurations !== null && !Array.isArray(configurations);
  const entries = isMap ? Object.entries(configurations) : [];
  if (entries.length < 1 || entries.length > MAX_CONFIGURATIONS) {
    const expected = `an object with 1 to ${MAX_CONFIGURATIONS} configurations by name`;
    const error = optionError("configurations", expected, configurations);
    reader.report("configurations", error.message);
    return [];
  }
  return entries.flatMap(
    ([name, options]) => checkConfiguration(reader, name, options, placed) ?? [],
  );
}

function checkConfiguration(
  reader: OptionReader,
  name: string,
  options: ConfigurationOptions,
  { regions }: Pick<CheckedNodes, "regions">,
): CheckedConfiguration | undefined {
  const field = `configurations.${name}`;
  if (name === "" || name.length > 60) {
    reader.report(field, `the name of ${field} must have 1 to 60 letters`);
  }
  if (!reader.isObject(field, options, CONFIGURATION_OPTIONS)) return undefined;
  const coordination = reader.word(
    `${field}.coordination`,
    options.coordination,
    "central",
    COORDINATIONS,
  );
  const isKnown = coordination === (options.coordination ?? coordination);
  if (isKnown) refuseOthers(reader, field, options, coordination);
  const { coordination: _, gossip, ...others } = options;
  const { regions: weights, ...whole } = others;
  const policy = checkPolicy(reader, field, whole);
  if (policy === undefined) return undefined;
  if (policy.holds) {
    const message = `${field}.limits must have no concurrency limit: permits are not simulated`;
    reader.report(`${field}.limits`, message);
  } else if ((coordination === "hybrid" || coordination === "gossip") && !isLeasable(policy)) {
    const message =
      `${field}.limits must be token buckets, fixed, sliding or calendar windows that are hard ` +
      `for coordination ${coordination}`;
    reader.report(`${field}.limits`, message);
  }
  if (weights !== undefined) {
    for (const region of new Set(regions)) {
      const part = () => createPolicy(POLICY, { limits: whole.limits, regions: weights }, region);
      if (attempt(reader, `${field}.regions`, field, part) === undefined) break;
    }
  }
  return {
    name,
    coordination,
    options: { ...others, coordination },
    policy,
    gossip: coordination === "gossip" ? checkSettings(reader, field, gossip) : undefined,
  };
}

/** What only some coordinations have must not be accepted and ignored beside another. */
function refuseOthers(
  reader: OptionReader,
  field: string,
  options: ConfigurationOptions,
  coordination: CoordinationName,
): void {
  for (const [owners, owned] of OWNED) {
    if (owners.includes(coordination)) continue;
    for (const option of owned) {
      if (options[option as keyof ConfigurationOptions] === undefined) continue;
      const unless = `unless coordination is ${owners.join(" or ")}, got ${coordination}`;
      reader.report(`${field}.${option}`, `${field}.${option} must be left out ${unless}`);
    }
  }
}

/** Has the options of gossip checked as those of any limiter are. */
function checkSettings(
  reader: OptionReader,
  field: string,
  options: ConfigurationOptions["gossip"] = {},
): GossipSettings | undefined {
  const before = reader.problems.length;
  const isObject = reader.isObject(`${field}.gossip`, options, GOSSIP_OPTIONS);
  if (!isObject || reader.problems.length > before) return undefined;
  const transport = { address: "simulated", open() {}, send() {}, members: () => [], close() {} };
  const check = () => checkGossip({ ...options, transport });
  const checked = attempt(reader, `${field}.gossip`, field, check);
  if (checked === undefined) return undefined;
  const { intervalMs, regionIntervalMs } = checked;
  return { options, intervalMs, regionIntervalMs };
}

/** Runs a check that throws; what it says names the option by the path that a limiter's has. */
function attempt<T>(
  reader: OptionReader,
  path: string,
  field: string,
  check: () => T,
): T | undefined {
  const start = reader.problems.length;
  const checked = reader.attempt(path, check);
  for (const { message } of reader.problems.splice(start)) {
    const said = message
      .replace(`policies.${POLICY}`, field)
      .replace(/^gossip\b/, `${field}.gossip`);
    const [named] = said.split(" ", 1);
    reader.report(named!.startsWith(`${path}.`) ? named! : path, said);
  }
  return checked;
}

function isLeasable({ leasable, limits }: Policy): boolean {
  return leasable && limits.every(({ soft }) => !soft);
}

/** Has the policy checked as any other is, each option by itself so that all are reported. */
function checkPolicy(
  reader: OptionReader,
  field: string,
  options: ConfigurationOptions,
): Policy | undefined {
  const { limits, ...settings } = options;
  const before = reader.problems.length;
  const rightly = (option: string, given: ConfigurationOptions) => {
    return attempt(reader, `${field}.${option}`, field, () => createPolicy(POLICY, given));
  };
  const withLimits = rightly("limits", { limits });
  if (withLimits === undefined) return undefined;
  for (const [option, value] of Object.entries(settings)) {
    if (CONFIGURATION_OPTIONS.includes(option)) rightly(option, { limits, [option]: value });
  }
  return reader.problems.length > before ? undefined : createPolicy(POLICY, options);
}
