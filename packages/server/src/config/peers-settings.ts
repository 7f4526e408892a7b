// The settings of gossip between services: where each is written, in the file and in the environment, and its check.

import { DEFAULT_PEERS_PORT, formatPeerAddress, parsePeerAddress } from "../peers/peer-address.ts";
import { show } from "./problem.ts";
import {
  type Checked,
  checkDuration,
  checkHost,
  checkPort,
  checkStore,
  checkWord,
} from "./values.ts";

/** How services carry gossip to each other. */
export type PeersTransportName = "grpc" | "redis";

const TRANSPORTS: readonly PeersTransportName[] = ["grpc", "redis"];
const MIN_SECRET = 16;
const MAX_MEMBERS = 1_024;
const MAX_FANOUT = 16;
const MIN_MESSAGE_BYTES = 1_024;
const MAX_MESSAGE_BYTES = 4_000_000;
const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 60_000;

/** One setting. */
export interface PeersSetting<T> {
  /** Keys from the top of the file. */
  readonly path: readonly string[];
  readonly variable: string;
  readonly check: (value: unknown) => Checked<T>;
  /** Makes of a variable's text what a file would have; left out, the text. */
  readonly fromText?: (text: string) => unknown;
}

function setting<T>(
  path: string,
  variable: string,
  check: (value: unknown) => Checked<T>,
  fromText?: (text: string) => unknown,
): PeersSetting<T> {
  return {
    path: path.split("."),
    variable,
    check,
    ...(fromText === undefined ? {} : { fromText }),
  };
}

/** Every setting, by the name that it has in the code. */
export const PEERS_SETTINGS = {
  peersTransport: setting("peers.transport", "TIDEGATE_PEERS_TRANSPORT", (value) => {
    return checkWord(TRANSPORTS, value);
  }),
  peersHost: setting("peers.host", "TIDEGATE_PEERS_HOST", checkHost),
  peersPort: setting("peers.port", "TIDEGATE_PEERS_PORT", checkPort, toNumber),
  peersAdvertise: setting("peers.advertise", "TIDEGATE_PEERS_ADVERTISE", checkAdvertise),
  peersMembers: setting("peers.members", "TIDEGATE_PEERS_MEMBERS", checkMembers, toList),
  peersDns: setting("peers.dns", "TIDEGATE_PEERS_DNS", checkAddress),
  peersRedis: setting("peers.redis", "TIDEGATE_PEERS_REDIS", checkRegistry),
  peersSecret: setting("peers.secret", "TIDEGATE_PEERS_SECRET", checkSecret),
  peersTlsCert: setting("peers.tls.cert", "TIDEGATE_PEERS_TLS_CERT", checkFileName),
  peersTlsKey: setting("peers.tls.key", "TIDEGATE_PEERS_TLS_KEY", checkFileName),
  peersTlsCa: setting("peers.tls.ca", "TIDEGATE_PEERS_TLS_CA", checkFileName),
  peersTlsName: setting("peers.tls.name", "TIDEGATE_PEERS_TLS_NAME", checkHost),
  gossipInterval: setting("gossip.interval", "TIDEGATE_GOSSIP_INTERVAL", checkInterval),
  gossipFanout: setting("gossip.fanout", "TIDEGATE_GOSSIP_FANOUT", checkFanout, toNumber),
  gossipRegionInterval: setting(
    "gossip.regionInterval",
    "TIDEGATE_GOSSIP_REGION_INTERVAL",
    checkInterval,
  ),
  gossipMaxMessageSize: setting(
    "gossip.maxMessageSize",
    "TIDEGATE_GOSSIP_MAX_MESSAGE_SIZE",
    checkSize,
    toNumber,
  ),
};

/** Name of a setting. */
export type PeersSettingName = keyof typeof PEERS_SETTINGS;

/** Their values. */
export type PeersValues = {
  readonly [Name in PeersSettingName]: (typeof PEERS_SETTINGS)[Name] extends PeersSetting<infer T>
    ? T
    : never;
};

/** The names, in the order of the documentation. */
export const PEERS_SETTING_NAMES = Object.keys(PEERS_SETTINGS) as PeersSettingName[];

/** Returns the number that a text is in digits; else the text, to be shown as it is. */
function toNumber(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function toList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

const ADDRESS = `an address such as 10.0.0.1:${DEFAULT_PEERS_PORT} or tidegate-1:${DEFAULT_PEERS_PORT}`;

function checkAddress(value: unknown): Checked<string> {
  const address =
    typeof value === "string" ? parsePeerAddress(value.trim(), DEFAULT_PEERS_PORT) : undefined;
  if (address === undefined) return { wrong: `must be ${ADDRESS}, got ${show(value)}` };
  return { value: formatPeerAddress(address) };
}

/** Without a port it has that which is listened on, so it is kept as it is written. */
function checkAdvertise(value: unknown): Checked<string> {
  const checked = checkAddress(value);
  return "wrong" in checked ? checked : { value: String(value).trim() };
}

/** Checks addresses of nodes. */
function checkMembers(value: unknown): Checked<readonly string[]> {
  const expected = `a list of 1 to ${MAX_MEMBERS} addresses such as [tidegate-1:8083, tidegate-2:8083]`;
  if (!Array.isArray(value)) return { wrong: `must be ${expected}, got ${show(value)}` };
  if (value.length < 1 || value.length > MAX_MEMBERS) {
    return { wrong: `must be ${expected}, got ${value.length} of them` };
  }
  const members: string[] = [];
  for (const item of value) {
    const checked = checkAddress(item);
    if ("wrong" in checked) return { wrong: `must be ${expected}, got ${show(item)} among them` };
    members.push(checked.value);
  }
  return { value: members };
}

function checkRegistry(value: unknown): Checked<string> {
  const checked = checkStore(value);
  if ("value" in checked && checked.value !== "memory") return checked;
  const expected = "the address of a Redis, such as redis://127.0.0.1:6379";
  return "wrong" in checked
    ? { wrong: checked.wrong.replace("memory, ", "") }
    : { wrong: `must be ${expected}, got "memory"` };
}

/** What is wrong with a secret is said without it. */
function checkSecret(value: unknown): Checked<string> {
  const expected = `a text of at least ${MIN_SECRET} characters, the same on all nodes`;
  if (typeof value !== "string") return { wrong: `must be ${expected}, in quotes` };
  if (value.length >= MIN_SECRET) return { value };
  return { wrong: `must be ${expected}, got ${value.length} of them` };
}

function checkFileName(value: unknown): Checked<string> {
  if (typeof value === "string" && value.trim() !== "") return { value: value.trim() };
  return { wrong: `must be the name of a file in PEM, got ${show(value)}` };
}

function checkInterval(value: unknown): Checked<number> {
  const checked = checkDuration(value);
  if ("wrong" in checked) return checked;
  if (checked.value >= MIN_INTERVAL_MS && checked.value <= MAX_INTERVAL_MS) return checked;
  return { wrong: `must be a duration from ${MIN_INTERVAL_MS}ms to 1m, got ${show(value)}` };
}

function checkFanout(value: unknown): Checked<number> {
  const whole = typeof value === "number" && Number.isInteger(value);
  if (whole && value >= 1 && value <= MAX_FANOUT) return { value };
  return { wrong: `must be a whole number of nodes, 1 to ${MAX_FANOUT}, got ${show(value)}` };
}

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 1_024, MiB: 1_048_576 };

/** Checks a size, and reads it as bytes. */
function checkSize(value: unknown): Checked<number> {
  const match = /^(\d{1,9}) ?(B|KiB|MiB)?$/.exec(String(value));
  const bytes = match === null ? Number.NaN : Number(match[1]) * SIZE_UNITS[match[2] ?? ""]!;
  if (bytes >= MIN_MESSAGE_BYTES && bytes <= MAX_MESSAGE_BYTES) return { value: bytes };
  const expected = `a size from 1KiB to ${MAX_MESSAGE_BYTES} bytes, such as 256KiB`;
  return { wrong: `must be ${expected}, got ${show(value)}` };
}
