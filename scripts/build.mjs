// `npm run build [tidegate|server|all]`: compiles packages to their dist/, and copies what is not TypeScript beside it.
// npm pack and npm publish call it (prepack). A build that fails leaves no dist/ behind.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode } from "./shared/pinned-node.mjs";

// The server is compiled against the library's declarations, so the library comes first.
const ORDER = {
  tidegate: ["tidegate"],
  server: ["tidegate", "server"],
  all: ["tidegate", "server"],
};

const target = process.argv[2] ?? "all";
if (!Object.hasOwn(ORDER, target) || process.argv.length > 3) {
  console.error(`usage: node scripts/build.mjs [${Object.keys(ORDER).join("|")}]`);
  process.exit(2);
}
ensurePackages();
for (const name of ORDER[target]) build(join(root, "packages", name));

function build(directory) {
  const dist = join(directory, "dist");
  rmSync(dist, { recursive: true, force: true });
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const args = [tsc, "-p", join(directory, "tsconfig.build.json")];
  // Standard output belongs to npm pack --json.
  const { status } = spawnSync(pinnedNode(), args, { stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    rmSync(dist, { recursive: true, force: true });
    process.exit(1);
  }
  copyAssets(join(directory, "src"), dist);
}

function copyAssets(source, dist) {
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(dist, entry.name);
    if (entry.isDirectory()) copyAssets(from, to);
    else if (!entry.name.endsWith(".ts")) {
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(from, to);
    }
  }
}
