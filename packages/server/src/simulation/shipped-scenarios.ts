// The scenarios that come with the package, by name.

import { readdirSync, readFileSync } from "node:fs";

const DIRECTORY = new URL("../../scenarios/", import.meta.url);
const ENDING = ".yaml";

/** Lists the names. */
export function listScenarios(): readonly string[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}

/** Returns the bytes of a scenario that `listScenarios` has. */
export function loadShippedScenario(name: string): Uint8Array {
  return readFileSync(new URL(`${name}${ENDING}`, DIRECTORY));
}
