// Checks what gossip between services needs, which only the file and the environment together show; and makes the
// configuration of it.

import { resolve } from "node:path";
import type { GossipConfiguration } from "../configuration.ts";
import { DEFAULT_PEERS_PORT, isAnyHost, parsePeerAddress } from "../peers/peer-address.ts";
import type { PeerTls } from "../peers/peer-tls.ts";
import { readPeerTls } from "../peers/read-peer-tls.ts";
import { PEERS_SETTING_NAMES, PEERS_SETTINGS, type PeersSettingName } from "./peers-settings.ts";
import { createProblem, type Place, type Problem } from "./problem.ts";
import { from, type PeersSettings, type Setting, type Settings } from "./settings.ts";

const SOURCES = ["peersMembers", "peersDns", "peersRedis"] as const;
const TLS_FILES = ["peersTlsCert", "peersTlsKey", "peersTlsCa"] as const;
/** What makes no sense where nodes talk through Redis. */
const OF_GRPC = [
  "peersHost",
  "peersPort",
  "peersMembers",
  "peersDns",
  ...TLS_FILES,
  "peersTlsName",
] as const;

const DEFAULT_INTERVAL_MS = 100;
const DEFAULT_REGION_INTERVAL_MS = 1_000;
const DEFAULT_FANOUT = 2;
const DEFAULT_MESSAGE_BYTES = 1_048_576;

/** What is known when it is checked. */
export interface PeersFacts {
  readonly settings: Settings;
  /** Settings of which only so much is known, that they are wrong. */
  readonly wrong: ReadonlySet<keyof Settings>;
  /** Whether all policies are known. */
  readonly complete: boolean;
  /** Where the first policy says that it gossips; undefined where none does. */
  readonly gossiping: { readonly place: Place | undefined } | undefined;
}

/** Returns what clashes. */
export function checkPeers(facts: PeersFacts): Problem[] {
  const { settings, gossiping, complete, wrong } = facts;
  if (gossiping === undefined) return complete ? checkUnused(settings) : [];
  const problems = wrong.has("peersTransport") ? [] : checkMembership(facts);
  const { gossipInterval, gossipRegionInterval } = settings;
  const intervalMs = gossipInterval?.value ?? DEFAULT_INTERVAL_MS;
  if (gossipRegionInterval !== undefined && gossipRegionInterval.value < intervalMs) {
    const message =
      `gossip.regionInterval must be at least gossip.interval, which is ${intervalMs}ms, ` +
      `got ${gossipRegionInterval.value}ms${from(gossipRegionInterval)}`;
    problems.push(createProblem(message, gossipRegionInterval.place));
  }
  return problems;
}

const pathOf = (name: PeersSettingName) => PEERS_SETTINGS[name].path.join(".");

/** The first of what is set, and means nothing. */
function checkUnused(settings: Settings): Problem[] {
  const name = PEERS_SETTING_NAMES.find((one) => settings[one] !== undefined);
  if (name === undefined) return [];
  const set: Setting<unknown> = settings[name]!;
  const message =
    `${pathOf(name)} must be left out where no policy gossips${from(set)}; ` +
    "set coordination: gossip, for all policies or for one";
  return [createProblem(message, set.place)];
}

function checkMembership({ settings, wrong, gossiping }: PeersFacts): Problem[] {
  const { place } = gossiping!;
  const byRedis = settings.peersTransport?.value === "redis";
  const isThere = (name: PeersSettingName) => settings[name] !== undefined || wrong.has(name);
  const given = SOURCES.filter(isThere);
  const problems: Problem[] = [];
  const miss = (message: string) => problems.push(createProblem(message, place));
  if (byRedis) {
    for (const name of OF_GRPC.filter((one) => settings[one] !== undefined)) {
      const set: Setting<unknown> = settings[name]!;
      const message = `${pathOf(name)} must be left out with peers.transport: redis${from(set)}`;
      problems.push(createProblem(`${message}, by which nodes do not reach each other`, set.place));
    }
    if (!isThere("peersRedis")) {
      miss(
        "peers.redis is missing: write the Redis that nodes talk through, such as redis://127.0.0.1:6379",
      );
    }
  } else if (given.length === 0) {
    miss(
      "peers must say which nodes gossip: write peers.members: [tidegate-1:8083, tidegate-2:8083], " +
        "peers.dns: name:8083, or peers.redis: redis://host:6379 (or TIDEGATE_PEERS_MEMBERS and so on)",
    );
  } else if (given.length > 1) {
    const last: Setting<unknown> | undefined = settings[given.at(-1)!];
    const message = `peers must have one of members, dns and redis, got ${given.map(pathOf).join(" and ")}`;
    problems.push(createProblem(`${message}${from(last)}`, last?.place));
  }
  return [...problems, ...checkTrust(settings, isThere, byRedis, place)];
}

/** A stranger must not be believed. */
function checkTrust(
  settings: Settings,
  isThere: (name: PeersSettingName) => boolean,
  byRedis: boolean,
  place: Place | undefined,
): Problem[] {
  const files = TLS_FILES.filter(isThere);
  if (!byRedis && files.length > 0 && files.length < TLS_FILES.length) {
    const missing = TLS_FILES.filter((name) => !isThere(name)).map(pathOf);
    const set: Setting<unknown> | undefined = settings[files[0]!];
    const message = `${missing.join(" and ")} must be set where ${pathOf(files[0]!)} is${from(set)}`;
    return [createProblem(message, set?.place)];
  }
  if (isThere("peersSecret") || (!byRedis && files.length > 0)) return [];
  const message =
    "peers.secret is missing: without it any stranger could tell this node what was admitted; " +
    "set TIDEGATE_PEERS_SECRET on all nodes to the same 16 characters or more, as of `openssl rand -hex 24`" +
    (byRedis ? "" : ", or peers.tls");
  return [createProblem(message, place)];
}

/** Reads the files of mutual TLS, where they are set and right. */
export function readTlsFiles(
  settings: Settings,
  directory: string,
): { readonly tls?: PeerTls; readonly problems: readonly Problem[] } {
  const { peersTlsCert: cert, peersTlsKey: key, peersTlsCa: ca, peersTlsName: name } = settings;
  if (cert === undefined || key === undefined || ca === undefined) return { problems: [] };
  const set = { cert, key, ca };
  const files = {
    cert: resolve(directory, cert.value),
    key: resolve(directory, key.value),
    ca: resolve(directory, ca.value),
  };
  const read = readPeerTls(files, name?.value);
  if ("tls" in read) return { tls: read.tls, problems: [] };
  const problems = read.wrong.map(([file, words]) => {
    return createProblem(`peers.tls.${file} ${words}${from(set[file])}`, set[file].place);
  });
  return { problems };
}

/** What beside the settings goes into the configuration. */
export interface GossipSurroundings {
  /** The service's own, where peers have none. */
  readonly host: string;
  readonly tls: PeerTls | undefined;
  /** The address that Kubernetes was asked to tell, if it was. */
  readonly podIp: string | undefined;
}

/** The port that peers are listened for on; 0 is any free one, or none. */
export function peersPortOf({ peersTransport, peersPort }: Settings): number {
  return peersTransport?.value === "redis" ? 0 : (peersPort?.value ?? DEFAULT_PEERS_PORT);
}

/** Makes the configuration of gossip, of settings that were found right. */
export function gossipOf(settings: Settings, around: GossipSurroundings): GossipConfiguration {
  const { gossipInterval, gossipFanout, gossipRegionInterval } = settings;
  const intervalMs = gossipInterval?.value ?? DEFAULT_INTERVAL_MS;
  const host = settings.peersHost?.value ?? around.host;
  const advertise = settings.peersAdvertise?.value ?? podHost(around.podIp, host);
  return {
    intervalMs,
    fanout: gossipFanout?.value ?? DEFAULT_FANOUT,
    regionIntervalMs:
      gossipRegionInterval?.value ?? Math.max(DEFAULT_REGION_INTERVAL_MS, intervalMs),
    maxMessageBytes: settings.gossipMaxMessageSize?.value ?? DEFAULT_MESSAGE_BYTES,
    peers: {
      transport: settings.peersTransport?.value ?? "grpc",
      host,
      port: peersPortOf(settings),
      ...(advertise === undefined ? {} : { advertise }),
      ...optional(settings, "members", "peersMembers"),
      ...optional(settings, "dns", "peersDns"),
      ...optional(settings, "redis", "peersRedis"),
      ...optional(settings, "secret", "peersSecret"),
      ...(around.tls === undefined ? {} : { tls: around.tls }),
    },
  };
}

/** Finds a node that the others cannot reach: it listens on this machine alone, and they are elsewhere. */
export function findUnreachable({ peers }: GossipConfiguration): string[] {
  const { transport, host, members, dns, advertise } = peers;
  if (transport === "redis" || !isLoopback(host) || advertise !== undefined) return [];
  const others = members ?? (dns === undefined ? [] : [dns]);
  const other = others.find((address) => {
    return !isLoopback(parsePeerAddress(address, DEFAULT_PEERS_PORT)!.host);
  });
  if (other === undefined) return [];
  return [
    `peers.host is ${host}, which no other machine reaches, and ${other} is one; ` +
      "set host or peers.host (TIDEGATE_HOST, TIDEGATE_PEERS_HOST) to 0.0.0.0, or to this machine's address",
  ];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

function optional<Key extends string, Name extends PeersSettingName>(
  settings: PeersSettings,
  key: Key,
  name: Name,
) {
  type Value = NonNullable<PeersSettings[Name]>["value"];
  const value = settings[name]?.value as Value | undefined;
  return (value === undefined ? {} : { [key]: value }) as { readonly [_ in Key]?: Value };
}

/** Where this node listens on all addresses, the pod's is the one that others reach. */
function podHost(podIp: string | undefined, host: string): string | undefined {
  if (!isAnyHost(host) || podIp === undefined) return undefined;
  return parsePeerAddress(podIp, DEFAULT_PEERS_PORT) === undefined ? undefined : podIp;
}
