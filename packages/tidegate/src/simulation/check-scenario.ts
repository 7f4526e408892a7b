// Checks a scenario as people write it, and says everything that is wrong with it at once.

import { optionError } from "../policy/options.ts";
import {
  COORDINATIONS,
  type CoordinationName,
  createPolicy,
  type Policy,
  type PolicyOptions,
} from "../policy/policy.ts";
import { type CheckedFault, checkFaults } from "./check-faults.ts";
import {
  type CheckedNetwork,
  checkNetworkOptions,
  completeNetwork,
  DEFAULT_NETWORK,
  NETWORK_OPTIONS,
} from "./check-network.ts";
import { checkNodes } from "./check-nodes.ts";
import { type CheckedTraffic, checkTraffic } from "./check-traffic.ts";
import { OptionReader, type ScenarioProblem } from "./option-reader.ts";
import type { ConfigurationOptions, Scenario } from "./scenario.ts";
import { POLICY } from "./simulated-node.ts";

/** A configuration, checked. */
export interface CheckedConfiguration {
  readonly name: string;
  readonly coordination: CoordinationName;
  /** As a limiter takes it. */
  readonly options: PolicyOptions;
  readonly policy: Policy;
}

/** A scenario, checked and complete. */
export interface CheckedScenario {
  readonly name: string;
  readonly seed: number;
  readonly durationUs: number;
  readonly nodes: number;
  /** By node, its region; "" where there are none. */
  readonly regions: readonly string[];
  readonly clockSkewMs: number;
  readonly network: CheckedNetwork;
  readonly traffic: readonly CheckedTraffic[];
  readonly configurations: readonly CheckedConfiguration[];
  readonly faults: readonly CheckedFault[];
}

const OPTIONS = [
  ...["name", "seed", "duration", "nodes", "network", "traffic", "configurations", "faults"],
];
const CONFIGURATION_OPTIONS = [
  ...["limits", "coordination", "onStoreFailure", "deadline", "nearLimit", "idTtl"],
  ...["syncInterval", "leaseFraction", "maxOvershoot"],
];
const LEASE_OPTIONS = ["syncInterval", "leaseFraction", "maxOvershoot"];
const MAX_DURATION_US = 3_600_000_000;
const MAX_CONFIGURATIONS = 8;

/** Returns the scenario, or all that is wrong with it. */
export function checkScenario(
  scenario: Scenario,
): { readonly checked: CheckedScenario } | { readonly problems: readonly ScenarioProblem[] } {
  const reader = new OptionReader();
  const checked = readScenario(reader, scenario);
  return checked === undefined || reader.problems.length > 0
    ? { problems: reader.problems }
    : { checked };
}

function readScenario(reader: OptionReader, scenario: Scenario): CheckedScenario | undefined {
  if (!reader.isObject("scenario", scenario, OPTIONS)) return undefined;
  const { name, seed, duration, nodes, network = {} } = scenario;
  if (typeof name !== "string" || name === "" || name.length > 120) {
    reader.report("name", optionError("name", "a name of 1 to 120 letters", name).message);
  }
  const durationUs = checkDuration(reader, duration);
  const seedBounds = { least: 0, most: 2 ** 32 - 1, whole: true };
  const checkedSeed = reader.number("seed", seed, 1, seedBounds);
  const checkedNodes = checkNodes(reader, nodes);
  const hasNetwork = reader.isObject("network", network, NETWORK_OPTIONS);
  const surroundings = { durationUs, ...checkedNodes };
  return {
    name,
    seed: checkedSeed,
    durationUs,
    ...checkedNodes,
    network: completeNetwork(
      DEFAULT_NETWORK,
      hasNetwork ? checkNetworkOptions(reader, "network", network) : {},
    ),
    traffic: checkTraffic(reader, scenario.traffic, surroundings),
    configurations: checkConfigurations(reader, scenario.configurations),
    faults: checkFaults(reader, scenario.faults, surroundings),
  };
}

/** Where it is wrong it is the longest there is, so that nothing else is wrong for that. */
function checkDuration(reader: OptionReader, duration: unknown): number {
  const before = reader.problems.length;
  const durationUs = reader.durationUs("duration", duration);
  if (durationUs > MAX_DURATION_US) {
    reader.report("duration", optionError("duration", "at most 1h", duration).message);
  }
  return reader.problems.length > before ? MAX_DURATION_US : durationUs;
}

function checkConfigurations(
  reader: OptionReader,
  configurations: Scenario["configurations"],
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
  return entries.flatMap(([name, options]) => checkConfiguration(reader, name, options) ?? []);
}

function checkConfiguration(
  reader: OptionReader,
  name: string,
  options: ConfigurationOptions,
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
  if (isKnown && coordination !== "hybrid") {
    for (const option of LEASE_OPTIONS) {
      if (options[option as keyof ConfigurationOptions] === undefined) continue;
      const message = `${field}.${option} must be left out unless coordination is hybrid`;
      reader.report(`${field}.${option}`, `${message}, got ${coordination}`);
    }
  }
  const { coordination: _, ...others } = options;
  const policy = checkPolicy(reader, field, others);
  if (policy === undefined) return undefined;
  if (policy.holds) {
    const message = `${field}.limits must have no concurrency limit: permits are not simulated`;
    reader.report(`${field}.limits`, message);
  } else if (coordination === "hybrid" && !isLeasable(policy)) {
    const message =
      `${field}.limits must be token buckets, fixed, sliding or calendar windows that are hard ` +
      "for coordination hybrid";
    reader.report(`${field}.limits`, message);
  }
  return { name, coordination, options: { ...others, coordination }, policy };
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
    const path = `${field}.${option}`;
    const start = reader.problems.length;
    const policy = reader.attempt(path, () => createPolicy(POLICY, given));
    // The message names the option by the path that policies have elsewhere.
    reader.problems.splice(
      start,
      Number.POSITIVE_INFINITY,
      ...reader.problems.slice(start).map(({ message }) => ({
        field: path,
        message: message.replace(`policies.${POLICY}`, field),
      })),
    );
    return policy;
  };
  const withLimits = rightly("limits", { limits });
  if (withLimits === undefined) return undefined;
  for (const [option, value] of Object.entries(settings)) {
    if (CONFIGURATION_OPTIONS.includes(option)) rightly(option, { limits, [option]: value });
  }
  return reader.problems.length > before ? undefined : createPolicy(POLICY, options);
}
