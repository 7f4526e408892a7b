// Runs a program that starts redis-server itself, on the pinned Node and from the sources: installs what is missing,
// and tells it which redis-server. Ends as the program does, and passes signals on to it.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { ensurePackages, root } from "./packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./pinned-node.mjs";
import { ensureRedisServer } from "./redis-server.mjs";

/** Runs `program`, a path from the repository's directory, with this script's arguments; `what` it is, in messages. */
export function runWithRedis(program, what) {
  ensurePackages();
  const server = ensureRedisServer(what);
  if (server === undefined) process.exit(1);
  const child = spawn(
    pinnedNode(),
    [SOURCE_CONDITION, join(root, program), ...process.argv.slice(2)],
    {
      cwd: root,
      env: { ...process.env, TIDEGATE_REDIS_SERVER: server },
      stdio: "inherit",
    },
  );
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
  child.on("error", (error) => {
    console.error(`${what} could not be run: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
