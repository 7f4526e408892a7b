// `npm run differential -- HISTORIES [ALGORITHM] [SEED]`: holds memory and a real Redis equal over as many random
// histories of each algorithm as are asked for, for example 1000000. A failure prints what replays it.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";
import { ensureRedisServer } from "./shared/redis-server.mjs";

ensurePackages();
const server = ensureRedisServer();
if (server === undefined) process.exit(1);
const program = join(root, "test", "differential", "main.ts");
const child = spawn(pinnedNode(), [SOURCE_CONDITION, program, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, TIDEGATE_REDIS_SERVER: server },
  stdio: "inherit",
});
child.on("error", (error) => {
  console.error(`The histories could not be run: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code) => process.exit(code ?? 1));
