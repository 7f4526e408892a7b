// Finds the Node that runs Tidegate: the one that package.json pins, whatever Node the machine has.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.mjs";

/** What makes Node read the packages' TypeScript rather than what was last built from it. */
export const SOURCE_CONDITION = "--conditions=@tidegate/source";

const OLDEST = [22, 18];

/** Returns the path of the Node to run; ends the process with a message where there is none that is new enough. */
export function pinnedNode() {
  const file = process.platform === "win32" ? "node.exe" : "node";
  const pinned = join(root, "node_modules", "node", "bin", file);
  if (existsSync(pinned)) return pinned;
  if (isNewEnough(process.versions.node)) return process.execPath;
  console.error(
    [
      `Tidegate needs Node ${OLDEST.join(".")} or newer, and this is Node ${process.versions.node}.`,
      `The npm package "node", which brings its own, has none for ${process.platform}-${process.arch}, or its`,
      "install script was not allowed to run (npm's ignore-scripts). Install a newer Node from https://nodejs.org.",
    ].join("\n"),
  );
  process.exit(1);
}

/** Tells whether a version such as "20.11.1" can run TypeScript without a build, as the sources need. */
export function isNewEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
