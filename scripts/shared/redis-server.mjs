// Finds a redis-server for tests and benchmarks; on Debian and its kin fetches one into node_modules/.cache where there
// is none. Never installs anything into the system, needs no root, and starts nothing.

import { spawnSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./packages.mjs";

const CACHE = join(root, "node_modules", ".cache", "redis");

/** What can do without Redis in part, and so is told how. */
const TESTS = "The tests";

/** Returns the path of a redis-server for `what`, or undefined after saying on standard error what to do. */
export function ensureRedisServer(what = TESTS) {
  const wrapper = join(CACHE, "redis-server");
  const found =
    process.env.TIDEGATE_REDIS_SERVER ?? findOnPath("redis-server") ?? findOnPath("valkey-server");
  if (found !== undefined) return found;
  if (isExecutable(wrapper)) return wrapper;
  const problem =
    findOnPath("apt-get") === undefined ? "this machine has no apt-get" : fetchWithApt(wrapper);
  if (problem === undefined) return wrapper;
  console.error(
    [
      `${what} need redis-server, which is not on the PATH, and it could not be fetched: ${problem}.`,
      "Install it (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; Alpine: apk add redis;",
      `macOS: brew install redis), or set TIDEGATE_REDIS_SERVER to its path${what === TESTS ? ", or leave the" : "."}`,
      ...(what === TESTS ? ["tests that need it out with TIDEGATE_TEST_WITHOUT_REDIS=1."] : []),
    ].join("\n"),
  );
  return undefined;
}

/** Returns the full path of a program on the PATH, or undefined. */
export function findOnPath(program, path = process.env.PATH ?? "") {
  return path
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, program))
    .find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Downloads redis-server and the libraries it lacks, unpacks them, and writes `wrapper`. Returns what went wrong. */
function fetchWithApt(wrapper) {
  console.error(
    "Fetching redis-server with apt-get into node_modules/.cache/redis (nothing is installed) ...",
  );
  rmSync(CACHE, { recursive: true, force: true });
  const lists = join(CACHE, "state", "lists", "partial");
  const archives = join(CACHE, "archives");
  const unpacked = join(CACHE, "root");
  for (const directory of [lists, join(archives, "partial"), unpacked])
    mkdirSync(directory, { recursive: true });
  // Package lists and archives of its own: no lock, no root, and lists that are not stale.
  const options = [
    `Dir::State=${join(CACHE, "state")}`,
    "Dir::State::status=/var/lib/dpkg/status",
    `Dir::Cache=${CACHE}`,
    "Debug::NoLocking=1",
    ...(process.getuid?.() === 0 ? ["APT::Sandbox::User=root"] : []),
  ].flatMap((option) => ["-o", option]);
  const install = ["install", "--yes", "--no-install-recommends", "--reinstall", "--download-only"];
  const problem =
    run("apt-get", [...options, "-qq", "update"]) ??
    run("apt-get", [...options, "-qq", ...install, "redis-server", "redis-tools"]) ??
    unpackAll(archives, unpacked);
  if (problem !== undefined) return problem;
  const server = join(unpacked, "usr", "bin", "redis-server");
  if (!isExecutable(server)) return `the packages hold no ${server}`;
  writeFileSync(wrapper, `${wrapperScript(unpacked, server)}\n`);
  chmodSync(wrapper, 0o755);
  const version = spawnSync(wrapper, ["--version"], { encoding: "utf8" });
  if (version.status === 0) return undefined;
  rmSync(wrapper);
  return `it does not run here: ${version.stderr}`;
}

function wrapperScript(unpacked, server) {
  const libraries = ["usr/lib", "lib"].flatMap((directory) => {
    const at = join(unpacked, directory);
    return [at, ...subdirectories(at)];
  });
  return `#!/bin/sh\nLD_LIBRARY_PATH='${libraries.join(":")}' exec '${server}' "$@"`;
}

function subdirectories(directory) {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}

function unpackAll(archives, unpacked) {
  const files = readdirSync(archives).filter((name) => name.endsWith(".deb"));
  for (const file of files) {
    const problem = run("dpkg", ["-x", join(archives, file), unpacked]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Runs a command; returns undefined, or the command and the end of what it printed. */
function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return undefined;
  const output = error?.message ?? `${stdout}${stderr}`.trim().split("\n").slice(-3).join("; ");
  return `${command} ${args.find((arg) => /^[a-z]/.test(arg) && !arg.includes("=")) ?? args[0]}: ${output}`;
}
