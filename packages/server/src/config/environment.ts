// Reads the settings that environment variables set over the file. The environment is passed in: only the command line
// knows the process.

import type { CoordinationName } from "tidegate";
import { nearest } from "./nearest.ts";
import { PEERS_SETTING_NAMES, PEERS_SETTINGS, type PeersSettingName } from "./peers-settings.ts";
import { createProblem, type Problem } from "./problem.ts";
import type { PeersSettings, ReadSettings, Setting, Settings } from "./settings.ts";
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

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "TIDEGATE_";

/** The variable that names the configuration file. */
export const CONFIG_VARIABLE = "TIDEGATE_CONFIG";

/** The variables of those settings that are in the tables of gossip. */
const PEERS_VARIABLES = Object.fromEntries(
  PEERS_SETTING_NAMES.map((name) => [name, PEERS_SETTINGS[name].variable]),
) as Record<PeersSettingName, string>;

/** The variable of every setting. */
export const VARIABLES = {
  store: "TIDEGATE_STORE",
  coordination: "TIDEGATE_COORDINATION",
  defaultPolicy: "TIDEGATE_DEFAULT_POLICY",
  expectedNodes: "TIDEGATE_EXPECTED_NODES",
  region: "TIDEGATE_REGION",
  host: "TIDEGATE_HOST",
  httpPort: "TIDEGATE_HTTP_PORT",
  grpcPort: "TIDEGATE_GRPC_PORT",
  adminPort: "TIDEGATE_ADMIN_PORT",
  logLevel: "TIDEGATE_LOG_LEVEL",
  drainTimeoutMs: "TIDEGATE_DRAIN_TIMEOUT",
  ...PEERS_VARIABLES,
} as const satisfies Record<keyof Settings, string>;

/** What the environment sets, what is wrong in it, and what looks like a slip. */
export interface EnvironmentSettings extends ReadSettings {
  readonly warnings: readonly string[];
}

/** Reads the variables. An empty one counts as not set, as compose files leave them. */
export function readEnvironment(environment: Environment): EnvironmentSettings {
  const problems: Problem[] = [];
  const wrong = new Set<keyof Settings>();
  const read = <T>(name: keyof Settings, check: (text: string) => Checked<T>) => {
    const variable = VARIABLES[name];
    const text = environment[variable]?.trim();
    if (text === undefined || text === "") return undefined;
    const checked = check(text);
    if ("wrong" in checked) {
      problems.push(createProblem(`${variable} ${checked.wrong}`));
      wrong.add(name);
      return undefined;
    }
    const setting: Setting<T> = { value: checked.value, variable };
    return setting;
  };
  const readPort = (name: "httpPort" | "grpcPort" | "adminPort") => {
    return read(name, (text) => checkPortText(VARIABLES[name], text));
  };
  const readPeers = (name: PeersSettingName) => {
    const { check, fromText = String } = PEERS_SETTINGS[name];
    const checkText = (text: string): Checked<unknown> => {
      const value = fromText(text);
      return name === "peersPort" ? checkPortText(VARIABLES[name], text) : check(value);
    };
    return [name, read(name, checkText)] as const;
  };
  return {
    ...(Object.fromEntries(PEERS_SETTING_NAMES.map(readPeers)) as PeersSettings),
    store: read("store", checkStore),
    coordination: read<CoordinationName>("coordination", (text) => {
      return checkWord(COORDINATIONS, text);
    }),
    defaultPolicy: read("defaultPolicy", checkPolicyName),
    expectedNodes: read("expectedNodes", (text) => checkExpectedNodes(wholeNumberIn(text))),
    region: read("region", checkRegion),
    host: read("host", checkHost),
    httpPort: readPort("httpPort"),
    grpcPort: readPort("grpcPort"),
    adminPort: readPort("adminPort"),
    logLevel: read("logLevel", (text) => checkWord(LOG_LEVELS, text)),
    drainTimeoutMs: read("drainTimeoutMs", checkDrainTimeout),
    wrong,
    problems,
    warnings: findSlips(environment),
  };
}

/** Returns the number that a text is in digits; else the text, to be shown as it is. */
function wholeNumberIn(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function checkPortText(variable: string, text: string): Checked<number> {
  const checked = checkPort(wholeNumberIn(text));
  if (!("wrong" in checked) || !/^(tcp|udp|sctp):\/\//.test(text)) return checked;
  const service = variable
    .replace(/_PORT$/, "")
    .toLowerCase()
    .replaceAll("_", "-");
  return {
    wrong:
      `${checked.wrong}; Kubernetes sets it so for a Service named "${service}": ` +
      `set ${variable} in the container yourself, set enableServiceLinks: false in the pod, or rename the Service`,
  };
}

/**
 * Finds variables that look like misspelt ones. Others that start with TIDEGATE_ are nobody's mistake: Kubernetes sets
 * TIDEGATE_SERVICE_HOST and the like for a Service named "tidegate".
 */
function findSlips(environment: Environment): string[] {
  const variables: string[] = [CONFIG_VARIABLE, ...Object.values(VARIABLES)];
  const known = variables.map((variable) => variable.slice(PREFIX.length));
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(environment)) {
    const foreign = !name.toUpperCase().startsWith(PREFIX) || variables.includes(name);
    if (foreign || text === undefined || text === "") continue;
    const rest = name.slice(PREFIX.length);
    const meant = nearest(rest, known, Math.min(2, Math.floor(rest.length / 3)));
    if (meant !== undefined) warnings.push(`${name} is not read; did you mean ${PREFIX}${meant}?`);
  }
  return warnings;
}
