// Reads the addresses of Redis: one server, a Cluster, or Sentinels.

import { TidegateError } from "../../errors.ts";

/** Where a Redis is. `nodes` has one entry for a single server, and the known ones of a Cluster or of the Sentinels. */
export interface RedisAddress {
  readonly kind: "single" | "cluster" | "sentinel";
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly database: number;
  /** Name of the master that the Sentinels watch. */
  readonly masterName: string | undefined;
}

const SHAPE = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:(.*)@)?([^/?#@]*)(\/[^?#]*)?$/;
const EXPECTED =
  "a Redis address such as redis://host:6379, rediss://user:password@host:6379/0, " +
  "redis+cluster://host1:7000,host2:7000 or redis+sentinel://host1:26379,host2:26379/master-name";

/**
 * Reads a Redis URL. User and password may be percent-encoded; a password alone is `redis://:password@host`.
 * @throws TidegateError INVALID_OPTION, field "url"; the message never shows the password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = typeof url === "string" ? SHAPE.exec(url.trim()) : null;
  if (match === null) throw urlError(EXPECTED, url);
  const kind = (match[2] ?? "single") as RedisAddress["kind"];
  const { username, password } = parseUser(match[3], url);
  const nodes = match[4]!.split(",").map((node) => parseNode(node, kind, url));
  if (kind === "single" && nodes.length > 1) {
    throw urlError("one host, or redis+cluster:// for several", url);
  }
  const path = (match[5] ?? "").slice(1);
  const parts = path === "" ? [] : path.split("/");
  let masterName: string | undefined;
  if (kind === "sentinel") {
    masterName = parts.shift();
    if (!masterName) throw urlError("redis+sentinel://hosts/master-name, with the name", url);
  }
  const database = parts.shift() ?? "0";
  if (!/^\d{1,5}$/.test(database) || parts.length > 0) {
    throw urlError("an address that ends in the number of a database, such as /0", url);
  }
  if (kind === "cluster" && Number(database) !== 0) {
    throw urlError("a Cluster address without a database, which a Cluster does not have", url);
  }
  return {
    kind,
    tls: match[1] === "rediss",
    username,
    password,
    nodes,
    database: Number(database),
    masterName,
  };
}

/**
 * Returns an address fit for messages and logs: `redis://***@host:6379/0`, without user, password and parameters. It
 * hides too much rather than too little, since it is often given the address that could not be understood.
 */
export function redactRedisUrl(url: string): string {
  const schemeEnd = url.indexOf(":") + 1;
  const from = schemeEnd + /^\/*/.exec(url.slice(schemeEnd))![0].length;
  const at = url.lastIndexOf("@");
  const shown = at < 0 ? url : `${url.slice(0, Math.min(from, at))}***${url.slice(at)}`;
  const parameters = shown.search(/[?#]/);
  const bare = parameters < 0 ? shown : `${shown.slice(0, parameters + 1)}***`;
  // "redis://:password" and "redis://host:password" forget the host: what stands where a port should, is not shown.
  return at < 0 ? bare.replace(/([^:[]):(?!\d{1,5}(?:[,/?#]|$)|\/\/)[^,/\][]+/g, "$1:***") : bare;
}

function parseUser(text: string | undefined, url: string) {
  if (text === undefined || text === "") return { username: undefined, password: undefined };
  const colon = text.indexOf(":");
  try {
    const username = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? undefined : decodeURIComponent(text.slice(colon + 1));
    return { username: username === "" ? undefined : username, password };
  } catch {
    throw urlError("an address whose user and password are percent-encoded (% is %25)", url);
  }
}

function parseNode(text: string, kind: RedisAddress["kind"], url: string) {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? (kind === "sentinel" ? 26379 : 6379) : Number(match[2]);
  if (match === null || port < 1 || port > 65_535) throw urlError(EXPECTED, url);
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port };
}

function urlError(expected: string, url: unknown): TidegateError {
  const got = typeof url === "string" ? `"${redactRedisUrl(url).slice(0, 200)}"` : String(url);
  return new TidegateError("INVALID_OPTION", `url must be ${expected}, got ${got}`, {
    field: "url",
  });
}
