// Loads the script that decides in Redis, and its name there.

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

/** The text of decide.lua, which documents its KEYS, ARGV and reply. */
export function readDecideScript(): string {
  return readFileSync(new URL("./decide.lua", import.meta.url), "utf8");
}
