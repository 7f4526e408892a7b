// Addresses of nodes as people write them, "host:port", and which of its own a node tells the others.

import { isIP } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/** The port of peers where none is said. */
export const DEFAULT_PEERS_PORT = 8083;

const HOST_NAME =
  /^(?=.{1,253}$)[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?(\.[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?)*\.?$/i;

/** A host and a port. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads "host:port", "[::1]:port", or a host alone, which has the port `standard`.
 * @returns undefined where it is no address.
 */
export function parsePeerAddress(text: string, standard: number): PeerAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? (isIP(text) === 6 ? text : undefined);
  if (host === undefined) return undefined;
  const port = match?.[3] === undefined ? standard : Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  if (match?.[1] !== undefined && isIP(host) !== 6) return undefined;
  const named = HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
  return isIP(host) !== 0 || named ? { host, port } : undefined;
}

/** Writes an address, the same for the same. */
export function formatPeerAddress({ host, port }: PeerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host stands for all addresses of a machine, and so for none to be reached by. */
export function isAnyHost(host: string): boolean {
  return host === "0.0.0.0" || /^[0:]+$/.test(host);
}

/**
 * Returns the host that others reach this machine by: the first address that is not the loopback's, IPv4 before IPv6,
 * else `hostname`.
 */
export function findOwnHost(
  hostname: string,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string {
  const outward = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid);
  const found = outward.find(({ family }) => family === "IPv4") ?? outward[0];
  return found?.address ?? hostname;
}
