// `npm start`: installs what is missing, then runs the service from its sources; arguments go to `tidegate serve`.
// Never ends before the service has drained.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { whenOrphaned } from "./shared/orphaned.mjs";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";

// One Ctrl-C arrives here twice: from the terminal, and forwarded by npm. The service takes a second signal as "at
// once", so the echo must not reach it.
const ECHO_MS = 300;

ensurePackages();
const args = [
  SOURCE_CONDITION,
  `--import=${pathToFileURL(join(root, "scripts", "shared", "end-with-parent.mjs"))}`,
  join(root, "packages", "server", "bin", "tidegate.js"),
  "serve",
  ...process.argv.slice(2),
];
// A process group of its own: a terminal, or a supervisor that signals the group, then signals it through here only.
const child = spawn(pinnedNode(), args, {
  detached: process.platform !== "win32",
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});

let lastSignal = { name: "", at: Number.NEGATIVE_INFINITY };
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(name, () => {
    const at = performance.now();
    const echo = name === lastSignal.name && at - lastSignal.at < ECHO_MS;
    if (!echo) child.kill(name);
    lastSignal = { name, at };
  });
}
whenOrphaned(() => child.kill("SIGTERM"));
child.on("error", (error) => {
  console.error(`The service could not be started: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal]);
});
