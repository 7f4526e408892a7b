// Loads configurations of texts, from files in a directory that goes with the test.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../src/config/environment.ts";
import {
  type LoadedConfiguration,
  loadConfiguration,
} from "../../src/config/load-configuration.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { readFileSettings } from "../../src/config/read-file.ts";
import type { Configuration } from "../../src/configuration.ts";

/** Reads a file's bytes as `f.yaml` and returns what is wrong, formatted. */
export function problemsOf(content: string | Uint8Array): string[] {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return readFileSettings("f.yaml", bytes).problems.map(formatProblem);
}

/** Runs `work` in a directory with these files. */
export async function inDirectory<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "tidegate-config-"));
  try {
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(directory, name), content);
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Loads a text as tidegate.yaml, or nothing. */
export function load(
  text: string | undefined,
  environment: Environment = {},
): Promise<LoadedConfiguration> {
  const files: Record<string, string> = text === undefined ? {} : { "tidegate.yaml": text };
  return inDirectory(files, (directory) => loadConfiguration({ environment, directory }));
}

/** Returns the configuration; throws what is wrong. */
export function accepted(loaded: LoadedConfiguration): Configuration {
  if ("problems" in loaded) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  return loaded.configuration;
}

/** Returns what is wrong, formatted; nothing where nothing is. */
export function refused(loaded: LoadedConfiguration): string[] {
  return "problems" in loaded ? loaded.problems.map(formatProblem) : [];
}

/** The smallest policies, for texts about something else. */
export const POLICIES =
  "policies: { api: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] } }\n";
