// The files that tidy looks at: everything in the repository but what is installed, built or git's own.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const LEFT_OUT = new Set(["node_modules", "dist", ".git"]);

/** Returns the paths of all files from the repository's directory, with slashes. */
export function allFiles(directory = ROOT): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (LEFT_OUT.has(entry.name)) return [];
    if (entry.isDirectory()) return allFiles(path);
    return [relative(ROOT, path).split(sep).join("/")];
  });
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(ROOT, path));
}
