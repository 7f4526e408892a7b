// `npm run tidegate -- ARGS`: installs what is missing, then runs the command line from its sources. Never ends before
// the command does, so that `serve` drains.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";
import { ensureRedisServer } from "./shared/redis-server.mjs";

ensurePackages();
const command = join(root, "packages", "server", "bin", "tidegate.js");
const given = process.argv.slice(2);
const args = [SOURCE_CONDITION, command, ...given];
// The one command that may start a redis-server of its own gets the one that the tests use.
const needsRedis = given.includes("--chaos") && !given.includes("--redis");
const server = needsRedis ? ensureRedisServer() : undefined;
const env = server === undefined ? {} : { TIDEGATE_REDIS_SERVER: server };
const child = spawn(pinnedNode(), args, {
  stdio: "inherit",
  env: { ...process.env, ...env },
});
// The command takes Ctrl-C, which reaches it from the terminal as well, for one keypress.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
child.on("error", (error) => {
  console.error(`The command could not be run: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal]);
});
