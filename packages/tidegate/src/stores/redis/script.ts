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
  readonly lease: Script;
  readonly transact: Script;
}

/** Reads all of them. */
export function readScripts(): Scripts {
  return {
    decide: createScript(readDecideScript()),
    lease: createScript(readLeaseScript()),
    transact: createScript(readTransactScript()),
  };
}

/** Creates a script from its text. */
export function createScript(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

const PRELUDE = new URL("./prelude.lua", import.meta.url);
const WRITE = new URL("./write.lua", import.meta.url);
const ALGORITHMS = new URL("./algorithms.lua", import.meta.url);
const ENTRIES = new URL("./entries.lua", import.meta.url);
const SHORT_POLICIES = new URL("./short-policies.lua", import.meta.url);
const PLAIN_POLICIES = new URL("./plain-policies.lua", import.meta.url);
const PASTS = new URL("./pasts.lua", import.meta.url);
const GIFTS = new URL("./gifts.lua", import.meta.url);
const KEY_STATE = new URL("./key-state.lua", import.meta.url);
const RECORDS = new URL("./records.lua", import.meta.url);
const STATES = new URL("./states.lua", import.meta.url);
const DECIDE = new URL("./decide.lua", import.meta.url);
const DECIDE_GENERAL = new URL("./decide-general.lua", import.meta.url);
const LEASE = new URL("./lease.lua", import.meta.url);
const LEASE_GENERAL = new URL("./lease-general.lua", import.meta.url);
const TRANSACT = new URL("./transact.lua", import.meta.url);

/** Where the general way stands in decide.lua and lease.lua. */
const GENERAL = /--\[\[ .*general\.lua \]\]/;

/** The text of the script that decides plain checks; decide.lua documents its KEYS, ARGV and reply. */
export function readDecideScript(): string {
  const general = read(ALGORITHMS, PLAIN_POLICIES, DECIDE_GENERAL);
  return read(PRELUDE, WRITE, SHORT_POLICIES, DECIDE).replace(GENERAL, () => general);
}

/** The text of the script that grants leases; lease.lua documents its KEYS, ARGV and reply. */
export function readLeaseScript(): string {
  const general = read(ALGORITHMS, GIFTS, KEY_STATE, PLAIN_POLICIES, LEASE_GENERAL);
  return read(PRELUDE, WRITE, PASTS, SHORT_POLICIES, LEASE).replace(GENERAL, () => general);
}

/** The text of the script that does everything else; transact.lua documents its KEYS, ARGV and reply. */
export function readTransactScript(): string {
  const kept = read(PASTS, GIFTS, KEY_STATE, RECORDS);
  return read(PRELUDE, WRITE, ALGORITHMS, ENTRIES) + kept + read(STATES, TRANSACT);
}

function read(...files: readonly URL[]): string {
  return files.map((file) => readFileSync(file, "utf8")).join("");
}
