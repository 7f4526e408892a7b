// Reads the sections `peers` and `gossip` of a file.

import { PEERS_SETTING_NAMES, PEERS_SETTINGS, type PeersSettingName } from "./peers-settings.ts";
import type { PeersSettings, Settings } from "./settings.ts";
import type { Checked } from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

/** The sections that are read here. */
export const PEERS_SECTIONS = ["peers", "gossip"];

/** What sections look like, by path. */
const EXAMPLES: Readonly<Record<string, string>> = {
  peers: "{ members: [tidegate-1:8083, tidegate-2:8083] }",
  "peers.tls": "{ cert: node.pem, key: node-key.pem, ca: ca.pem }",
  gossip: "{ interval: 100ms, fanout: 2 }",
};

/**
 * Reads the settings that are written; what is wrong, unknown, twice there or no map is reported.
 * @param wrong gets those that are there and wrong.
 */
export function readPeersSettings(
  file: YamlFile,
  top: ReadonlyMap<string, Field>,
  wrong: Set<keyof Settings>,
): PeersSettings {
  const found = new Map<PeersSettingName, Field>();
  for (const section of PEERS_SECTIONS) {
    const field = top.get(section);
    if (field !== undefined) findIn(file, field, [section], found);
  }
  const settings = Array.from(found, ([name, field]) => {
    const value = readItems<unknown>(file, field, PEERS_SETTINGS[name].check);
    if (value === undefined) wrong.add(name);
    const place = file.place(file.valueNode(field));
    return [name, value === undefined ? undefined : { value, place }] as const;
  });
  return Object.fromEntries(settings) as PeersSettings;
}

function findIn(
  file: YamlFile,
  field: Field,
  path: readonly string[],
  found: Map<PeersSettingName, Field>,
): void {
  const depth = path.length;
  const below = PEERS_SETTING_NAMES.filter((name) => {
    return path.every((key, index) => PEERS_SETTINGS[name].path[index] === key);
  });
  const keys = [...new Set(below.map((name) => PEERS_SETTINGS[name].path[depth]!))];
  const fields = file.readMap(field, keys, EXAMPLES[path.join(".")]!);
  for (const [key, inner] of fields ?? []) {
    const name = below.find((one) => {
      const own = PEERS_SETTINGS[one].path;
      return own[depth] === key && own.length === depth + 1;
    });
    if (name === undefined) findIn(file, inner, [...path, key], found);
    else found.set(name, inner);
  }
}

/** Reads a value, of a list all items, and reports it where it is wrong. */
function readItems<T>(
  file: YamlFile,
  field: Field,
  check: (value: unknown) => Checked<T>,
): T | undefined {
  const value = file.readScalar(field);
  const items = Array.isArray(value) ? file.readList(field, "a list") : undefined;
  const whole = items === undefined ? value : items.map((item) => file.readScalar(item));
  return file.readValue(field, () => check(whole));
}
