// `npm run tidegate -- ARGS`: installs what is missing, then runs the command line from its sources.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";

ensurePackages();
const command = join(root, "packages", "server", "bin", "tidegate.js");
const { status, error } = spawnSync(
  pinnedNode(),
  [SOURCE_CONDITION, command, ...process.argv.slice(2)],
  { stdio: "inherit" },
);
if (error) console.error(`The command could not be run: ${error.message}`);
process.exit(status ?? 1);
