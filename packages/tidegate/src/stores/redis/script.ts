// Loads the scripts that decide in Redis, and their names there.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script and its SHA-1, by which EVALSHA calls it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Creates a script from its text. */
export function createScript(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** The text of the script that decides plain checks; decide.lua documents its KEYS, ARGV and reply. */
export function readDecideScript(): string {
  return read("algorithms.lua", "decide.lua");
}

/** The text of the script that does everything else; transact.lua documents its KEYS, ARGV and reply. */
export function readTransactScript(): string {
  return read("algorithms.lua", "entries.lua", "transact.lua");
}

function read(...files: string[]): string {
  return files.map((file) => readFileSync(new URL(`./${file}`, import.meta.url), "utf8")).join("");
}
