// Loads the configuration of a service: one file, environment variables over it, defaults under it. It answers with
// everything that is wrong at once, and throws for none of it.

import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { PolicyOptions } from "tidegate";
import type { Configuration } from "../configuration.ts";
import { findUnreachable, gossipOf, peersPortOf, readTlsFiles } from "./check-peers.ts";
import { checkTogether, findGossip } from "./check-together.ts";
import { DEFAULT_SETTINGS, EXAMPLE_POLICIES } from "./default-configuration.ts";
import { CONFIG_VARIABLE, type Environment, readEnvironment, VARIABLES } from "./environment.ts";
import { PEERS_SETTINGS } from "./peers-settings.ts";
import { createProblem, type Problem, show, sortProblems } from "./problem.ts";
import type { FileSettings, PlacedPolicy } from "./read-file.ts";
import type { Settings } from "./settings.ts";

/** Where Kubernetes tells a pod's address, if it is asked to. */
const POD_VARIABLE = "POD_IP";

/** The file that is read where none is named. */
export const DEFAULT_FILE = "tidegate.yaml";

/** Where to look. */
export interface LoadOptions {
  /** The file named on the command line; it wins over TIDEGATE_CONFIG, which wins over tidegate.yaml. */
  readonly file?: string | undefined;
  readonly environment: Environment;
  /** The directory that relative names start from. */
  readonly directory: string;
}

/** A configuration that can be served, or all that is wrong with it. */
export type LoadedConfiguration = {
  /** Sentences about what is not wrong but looks like a slip. */
  readonly warnings: readonly string[];
} & (
  | {
      readonly configuration: Configuration;
      /** The file that was read, as it was named; undefined where there was none. */
      readonly file: string | undefined;
      /** The variables that set something. */
      readonly variables: readonly string[];
    }
  | { readonly problems: readonly Problem[] }
);

/** Loads a configuration. */
export async function loadConfiguration(options: LoadOptions): Promise<LoadedConfiguration> {
  const environment = readEnvironment(options.environment);
  const found = findFile(options);
  if ("problem" in found) {
    const problems = [found.problem, ...environment.problems];
    return { problems, warnings: environment.warnings };
  }
  const warnings = [...environment.warnings, ...found.warnings];
  // Without a file the YAML parser is not loaded, which saves a tenth of the time to start.
  const file =
    found.bytes === undefined
      ? undefined
      : (await import("./read-file.ts")).readFileSettings(found.name, found.bytes);
  const problems = [...(file?.problems ?? []), ...environment.problems];
  const settings = overlay(file, environment);
  const policies = file?.policies ?? examplePolicies();
  const values = { ...DEFAULT_SETTINGS, ...valuesOf(settings) };
  const gossiping = findGossip(settings, policies) !== undefined;
  const { tls, problems: wrongFiles } = gossiping
    ? readTlsFiles(settings, options.directory)
    : { tls: undefined, problems: [] };
  problems.push(...wrongFiles);
  const wrong = new Set(
    NAMES.filter((name) => {
      return environment.wrong.has(name) || (!environment[name] && file?.wrong.has(name));
    }),
  );
  const complete = problems.length === 0;
  const policyNames = file?.policyNames ?? Object.keys(EXAMPLE_POLICIES);
  const ports = { ...values, peersPort: gossiping ? peersPortOf(settings) : 0 };
  const together = { settings, ports, policies, policyNames, wrong, complete };
  const clashes = checkTogether(together);
  if (problems.length > 0 || clashes.length > 0) {
    return { problems: sortProblems([...problems, ...clashes]), warnings };
  }
  const podIp = options.environment[POD_VARIABLE]?.trim();
  const gossip = gossiping ? gossipOf(settings, { host: values.host, tls, podIp }) : undefined;
  const entries = [...policies].map(([name, { options }]) => [name, options] as const);
  return {
    configuration: {
      ...values,
      policies: Object.fromEntries(entries),
      ...(gossip === undefined ? {} : { gossip }),
    },
    file: found.bytes === undefined ? undefined : found.name,
    variables: NAMES.filter((name) => environment[name] !== undefined).map(
      (name) => VARIABLES[name],
    ),
    warnings: gossip === undefined ? warnings : [...warnings, ...findUnreachable(gossip)],
  };
}

const NAMES = Object.keys(VARIABLES) as (keyof Settings)[];
/** Of the settings that the configuration has as they are. */
const PLAIN_NAMES = NAMES.filter((name) => !(name in PEERS_SETTINGS));

function overlay(file: FileSettings | undefined, environment: Settings): Settings {
  const entries = NAMES.map((name) => [name, environment[name] ?? file?.[name]]);
  return Object.fromEntries(entries) as Settings;
}

function valuesOf(settings: Settings): Partial<Configuration> {
  const entries = PLAIN_NAMES.map((name) => [name, settings[name]?.value] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function examplePolicies(): Map<string, PlacedPolicy> {
  const entries: [string, PolicyOptions][] = Object.entries(EXAMPLE_POLICIES);
  return new Map(entries.map(([name, options]) => [name, { options, places: new Map() }]));
}

interface Found {
  readonly name: string;
  readonly bytes: Uint8Array | undefined;
  readonly warnings: readonly string[];
}

function findFile(options: LoadOptions): Found | { readonly problem: Problem } {
  const { file, environment, directory } = options;
  const variable = environment[CONFIG_VARIABLE]?.trim() || undefined;
  const name = file ?? variable ?? DEFAULT_FILE;
  try {
    return { name, bytes: readFileSync(resolve(directory, name)), warnings: [] };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (file === undefined && variable === undefined && code === "ENOENT") {
      return { name, bytes: undefined, warnings: findOtherNames(directory) };
    }
    const by = file === undefined && variable !== undefined ? ` (from ${CONFIG_VARIABLE})` : "";
    const message = `the file ${show(name)}${by} cannot be read: ${reasonOf(error)}`;
    return { problem: createProblem(message) };
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES") return "this user may not read it";
  return message;
}

/** A tidegate.yml that is silently not read would be found out by its limits not being kept. */
function findOtherNames(directory: string): string[] {
  const others = ["tidegate.yml", "tidegate.json"].filter((name) => {
    return statSync(resolve(directory, name), { throwIfNoEntry: false })?.isFile();
  });
  return others.map(
    (name) => `${name} is not read; name it ${DEFAULT_FILE}, or pass --config ${name}`,
  );
}
