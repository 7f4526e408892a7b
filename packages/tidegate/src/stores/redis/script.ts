// Loads the scripts that decide in Redis, and their names there.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script and its SHA-1, by which EVALSHA calls it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** The scripts of a store. */
export interface Scripts {
  readonly decide: Script;
  readonly transact: Script;
}

/** Reads both scripts. */
export function readScripts(): Scripts {
  return {
    decide: createScript(readDecideScript()),
    transact: createScript(readTransactScript()),
  };
}

/** Creates a script from its text. */
export function createScript(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

const PRELUDE = new URL("./prelude.lua", import.meta.url);
const ALGORITHMS = new URL("./algorithms.lua", import.meta.url);
const ENTRIES = new URL("./entries.lua", import.meta.url);
const REMEMBERED = new URL("./remembered.lua", import.meta.url);
const DECIDE = new URL("./decide.lua", import.meta.url);
const DECIDE_GENERAL = new URL("./decide-general.lua", import.meta.url);
const STATES = new URL("./states.lua", import.meta.url);
const LEASES = new URL("./leases.lua", import.meta.url);
const TRANSACT = new URL("./transact.lua", import.meta.url);

/** Where the general way stands in decide.lua. */
const GENERAL = "--[[ algorithms.lua, decide-general.lua ]]";

/** The text of the script that decides plain checks; decide.lua documents its KEYS, ARGV and reply. */
export function readDecideScript(): string {
  return read(PRELUDE, DECIDE).replace(GENERAL, () => read(ALGORITHMS, DECIDE_GENERAL));
}

/** The text of the script that does everything else; transact.lua documents its KEYS, ARGV and reply. */
export function readTransactScript(): string {
  return read(PRELUDE, ALGORITHMS, ENTRIES, REMEMBERED, STATES, LEASES, TRANSACT);
}

function read(...files: URL[]): string {
  return files.map((file) => readFileSync(file, "utf8")).join("");
}
