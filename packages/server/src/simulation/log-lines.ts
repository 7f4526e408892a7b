// Takes a line of a log apart into named fields, by its format.

/** How logs are written. */
export type LogFormat = "common" | "combined" | "json" | "csv";

export const LOG_FORMATS: readonly LogFormat[] = ["common", "combined", "json", "csv"];

/** Returns a field of a line by its name; undefined where it has none. */
export type LineFields = (name: string) => unknown;

/** Takes a line apart; returns undefined where it is none of the format, "header" where it names the fields. */
export type LineReader = (line: string) => LineFields | "header" | undefined;

/** The fields of the common log format, and after them those of the combined one. */
export const ACCESS_FIELDS = [
  ...["address", "identity", "user", "time", "method", "path", "status", "bytes"],
  ...["referrer", "agent"],
] as const;

const QUOTED = String.raw`"((?:[^"\\]|\\.)*)"`;
const ACCESS = new RegExp(
  String.raw`^(\S+) (\S+) (.+?) \[([^\]]+)\] ${QUOTED} (\d{3}) (\d+|-)(?: ${QUOTED} ${QUOTED})?`,
);

/** Returns what takes lines apart. */
export function createLineReader(format: LogFormat): LineReader {
  if (format === "json") return readJson;
  return format === "csv" ? createCsvReader() : readAccess;
}

/** What a line of an access log says; a "-" says nothing. The path has no query, which is each request's own. */
function readAccess(line: string): LineFields | undefined {
  const found = ACCESS.exec(line);
  if (found === null) return undefined;
  const [, address, identity, user, time, request, status, bytes, referrer, agent] = found;
  const [method, target] = request!.split(" ");
  const path = target?.split("?", 1)[0];
  const values = [address, identity, user, time, method, path, status, bytes, referrer, agent];
  return (name) => {
    const value = values[ACCESS_FIELDS.indexOf(name as (typeof ACCESS_FIELDS)[number])];
    return value === "-" ? undefined : value;
  };
}

/** A field within another is named with a point between: "user.id". */
function readJson(line: string): LineFields | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fieldOf = (from: unknown, name: string): unknown => {
    return typeof from === "object" && from !== null && Object.hasOwn(from, name)
      ? (from as Record<string, unknown>)[name]
      : undefined;
  };
  return (name) => fieldOf(value, name) ?? name.split(".").reduce(fieldOf, value);
}

/** The first line names the fields. */
function createCsvReader(): LineReader {
  let header: readonly string[] | undefined;
  return (line) => {
    const values = splitCsv(line);
    if (values === undefined) return undefined;
    if (header === undefined) {
      header = values.map((name) => name.trim());
      return "header";
    }
    if (values.length !== header.length) return undefined;
    const names = header;
    return (name) => {
      const value = values[names.indexOf(name)];
      return value === "" ? undefined : value;
    };
  };
}

/** Splits a line as RFC 4180 has it, but that a quoted line break ends it; undefined where a quote is not closed. */
function splitCsv(line: string): string[] | undefined {
  const values: string[] = [];
  const value = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const found = value.exec(line);
    if (found === null) return undefined;
    values.push(found[1]?.replaceAll('""', '"') ?? found[2]!);
    if (found[3] === "") return values;
  }
}
