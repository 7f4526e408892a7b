// `npm run faults`: every fault of test/faults under every failure policy, which writes the table of
// docs/failure-modes.md. `-- --only NAME` runs one, as often as it is given; `-- --coordination hybrid` runs
// them with leases; `-- --outage 3m` one long outage under load, with what the nodes hold in memory.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";
import { ensureRedisServer } from "./shared/redis-server.mjs";

ensurePackages();
const server = ensureRedisServer();
if (server === undefined) process.exit(1);
const program = join(root, "test", "faults", "main.ts");
const child = spawn(pinnedNode(), [SOURCE_CONDITION, program, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, TIDEGATE_REDIS_SERVER: server },
  stdio: "inherit",
});
child.on("error", (error) => {
  console.error(`The faults could not be run: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code) => process.exit(code ?? 1));
