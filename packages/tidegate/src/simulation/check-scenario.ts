// Checks a scenario as people write it, and says everything that is wrong with it at once.

import { optionError } from "../policy/options.ts";
import { type CheckedConfiguration, checkConfigurations } from "./check-configurations.ts";
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
import type { Scenario } from "./scenario.ts";

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
const MAX_DURATION_US = 3_600_000_000;

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
    configurations: checkConfigurations(reader, scenario.configurations, surroundings),
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
