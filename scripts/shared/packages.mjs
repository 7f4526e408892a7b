// Sees to it that node_modules holds what package-lock.json says, so that the first command in a fresh clone works.
// Runs on any Node from 18 on and needs no package. Never installs where nothing is missing.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Installs what package-lock.json asks for, unless it is there; ends the process with a message where that fails. */
export function ensurePackages() {
  if (isInstalled(root)) return;
  console.error(
    "Installing packages (npm ci): once per clone, and again when package-lock.json changes ...",
  );
  const result = runNpm(["ci", "--include=dev", "--loglevel=error", "--no-progress"]);
  if (result.status === 0 && isInstalled(root)) return;
  if (result.signal === "SIGINT" || result.signal === "SIGTERM") process.exit(130);
  const cause =
    result.error === undefined
      ? `npm ended with ${result.status ?? result.signal}`
      : result.error.message;
  console.error(
    [
      `The packages could not be installed: ${cause}.`,
      "Look at npm's own lines above. What it needs: the package registry (npm ping), room on the disk, and a",
      "package-lock.json that fits package.json. `npm ci` in this directory shows the whole of it; then try again.",
    ].join("\n"),
  );
  process.exit(1);
}

/**
 * Tells whether what npm recorded as installed is what package-lock.json asks for. npm writes that record,
 * node_modules/.package-lock.json, as its last step, so an install that was interrupted or failed has none; and an
 * `npm install` by hand counts as one, because the record is npm's and not ours.
 */
export function isInstalled(directory) {
  const wanted = readPackages(join(directory, "package-lock.json"));
  const present = readPackages(join(directory, "node_modules", ".package-lock.json"));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const found = present[path];
    // Packages for other platforms are optional, and absent here.
    if (found === undefined)
      return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return (
      found.version === entry.version &&
      found.integrity === entry.integrity &&
      existsSync(join(directory, path, "package.json"))
    );
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

function runNpm(args) {
  const options = { cwd: root, stdio: ["ignore", 2, 2] };
  const cli = process.env.npm_execpath;
  if (cli?.endsWith("npm-cli.js")) {
    return spawnSync(process.execPath, [cli, ...args], options);
  }
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}
