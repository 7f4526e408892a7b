// `npm run simulations -- RUNS [FROM_SEED]`: that many random scenarios of the simulator, for example
// 100000. A failure prints what replays it.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";

ensurePackages();
const program = join(root, "test/simulations/main.ts");
const child = spawn(pinnedNode(), [SOURCE_CONDITION, program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => child.kill(name));
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
