// Turns the address of a client into the key it is counted under. One subscriber usually holds a whole IPv6 /64, so
// counting single addresses would give an attacker 2^64 limits; IPv4 addresses are counted one by one.

import { isIP } from "node:net";
import { optionError } from "../policy/options.ts";

/** Length of the IPv6 prefix that is counted as one client where nothing else is said. */
export const DEFAULT_IPV6_PREFIX = 64;

/** Returns `value` where it is a prefix length that can stand for one client, else throws naming `field`. */
export function checkIpv6Prefix(field: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 32 || value > 128) {
    throw optionError(field, "a whole number from 32 to 128", value);
  }
  return value;
}

/**
 * Returns the key for an address as a socket or a proxy writes it, or undefined where it is none.
 * IPv4, also mapped into IPv6 (::ffff:192.0.2.1): "192.0.2.1". IPv6: the prefix in the canonical text of RFC 5952,
 * "2001:db8:1:2::/64", or with a prefix of 128 the address alone. Brackets, ports and zone ids are dropped.
 */
export function addressKey(address: string, ipv6Prefix: number): string | undefined {
  const bare = bareAddress(address);
  const version = isIP(bare);
  if (version === 4) return bare;
  if (version === 0) return undefined;
  const groups = parseIpv6(bare);
  if (isMappedIpv4(groups)) {
    const [high, low] = [groups[6]!, groups[7]!];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  keepPrefix(groups, ipv6Prefix);
  const text = formatIpv6(groups);
  return ipv6Prefix === 128 ? text : `${text}/${ipv6Prefix}`;
}

/** Drops what proxies and sockets put around an address: "192.0.2.1:80", "[2001:db8::1]:443", "fe80::1%eth0". */
function bareAddress(address: string): string {
  const text = address.trim();
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  const withPort = bracketed ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text);
  const bare = withPort?.[1] ?? text;
  const zone = bare.indexOf("%");
  return zone === -1 ? bare : bare.slice(0, zone);
}

/** Reads eight groups of 16 bits from text that isIP() has found to be IPv6. */
function parseIpv6(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const first = groupsOf(head);
  if (tail === undefined) return first;
  const last = groupsOf(tail);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return [...first, ...zeros, ...last];
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function isMappedIpv4(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

function keepPrefix(groups: number[], prefix: number): void {
  for (let index = 0; index < 8; index += 1) {
    const kept = Math.min(16, Math.max(0, prefix - index * 16));
    groups[index]! &= (0xffff << (16 - kept)) & 0xffff;
  }
}

/** Writes the canonical text of RFC 5952: the longest run of zero groups, the first of equals, becomes "::". */
function formatIpv6(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; index += 1) {
    let end = index;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - index > length) {
      start = index;
      length = end - index;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (start === -1) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
