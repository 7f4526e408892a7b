// Reads the requests of a log, for a stream that replays them. A line that cannot be read is counted and left out;
// where more than a few are, the log is refused, since what is replayed would be another traffic.

import { isUtf8 } from "node:buffer";
import { gunzipSync } from "node:zlib";
import type { ReplayedRequest } from "tidegate/simulation";
import { show } from "../config/problem.ts";
import { createLineReader, type LineFields, type LogFormat } from "./log-lines.ts";
import { INSTANTS, parseInstant } from "./parse-instant.ts";

/** Which fields of a line are meant. */
export interface LogFields {
  readonly time: string;
  readonly key: string;
  /** Left out: each request costs 1. */
  readonly cost?: string;
}

/** A log, read. */
export interface Log {
  readonly requests: readonly ReplayedRequest[];
  readonly lines: number;
  /** Lines that cannot be read, and what is wrong with the first. */
  readonly unreadable: number;
  readonly firstUnreadable: string | undefined;
}

/** The largest log, in bytes, unpacked. */
export const MAX_LOG_BYTES = 512 * 1_048_576;

/** The part of the lines that may be unreadable. */
const MAX_UNREADABLE = 0.01;
const LINE_FEED = 10;
const MAX_COST = 1_000_000_000;
const MAX_KEY = 1_024;

interface Entry {
  readonly atMs: number;
  readonly key: string;
  readonly cost: number;
}

/** Reads a log; what is wrong with it as a whole is said in `wrong`, "must be …". */
export function readLog(
  bytes: Uint8Array,
  format: LogFormat,
  fields: LogFields,
): Log | { readonly wrong: string } {
  const plain = unpack(bytes);
  if (plain === undefined || plain.length > MAX_LOG_BYTES) {
    return { wrong: `must be a text of at most ${MAX_LOG_BYTES} bytes, or one packed by gzip` };
  }
  const readLine = createLineReader(format);
  const entries: Entry[] = [];
  let lines = 0;
  let unreadable = 0;
  let firstUnreadable: string | undefined;
  for (const { line, number } of linesOf(plain)) {
    const read = readLine(line);
    if (read === "header") continue;
    lines += 1;
    const entry = read === undefined ? `is no line of format ${format}` : entryOf(read, fields);
    if (typeof entry !== "string") {
      entries.push(entry);
      continue;
    }
    unreadable += 1;
    firstUnreadable ??= `line ${number} ${entry}`;
  }
  if (unreadable > MAX_UNREADABLE * lines || entries.length === 0) {
    const said =
      lines === 0
        ? "has no requests"
        : `has ${unreadable} of ${lines} lines that cannot be read, more than 1 %; ${firstUnreadable}`;
    return { wrong: said };
  }
  return { requests: relative(entries), lines, unreadable, firstUnreadable };
}

function unpack(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_LOG_BYTES });
  } catch {
    return undefined;
  }
}

/** Yields the lines that have something in them. A log that is no UTF-8 is read byte by byte. */
function* linesOf(
  bytes: Uint8Array,
): Generator<{ readonly line: string; readonly number: number }> {
  const decoder = new TextDecoder(isUtf8(bytes) ? "utf-8" : "latin1");
  let number = 0;
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found === -1 ? bytes.length : found;
    number += 1;
    const line = decoder.decode(bytes.subarray(start, end)).replace(/\r$/, "");
    if (line.trim() !== "") yield { line, number };
    start = end + 1;
  }
}

/** What a line says; or what is wrong with it. */
function entryOf(read: LineFields, { time, key, cost }: LogFields): Entry | string {
  const atMs = parseInstant(read(time));
  if (atMs === undefined)
    return `has no time in ${show(time)} ${INSTANTS}, got ${show(read(time))}`;
  const named = read(key);
  const text = typeof named === "number" ? String(named) : named;
  if (typeof text !== "string" || text === "" || text.length > MAX_KEY) {
    return `has no key of 1 to ${MAX_KEY} letters in ${show(key)}, got ${show(named)}`;
  }
  const given = cost === undefined ? 1 : (read(cost) ?? 1);
  const units = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
  if (typeof units === "number" && Number.isInteger(units) && units >= 0 && units <= MAX_COST) {
    return { atMs, key: text, cost: units };
  }
  return `has no whole number of units in ${show(cost)}, got ${show(given)}`;
}

/**
 * Times since the first. Where all are whole seconds, those of a second come in equal distances within it, as they
 * would else all come at once.
 */
function relative(entries: Entry[]): ReplayedRequest[] {
  entries.sort((one, other) => one.atMs - other.atMs);
  const firstMs = entries[0]!.atMs;
  if (entries.some(({ atMs }) => atMs % 1_000 !== 0)) {
    return entries.map(({ atMs, key, cost }) => ({ atMs: atMs - firstMs, key, cost }));
  }
  const counts = new Map<number, number>();
  for (const { atMs } of entries) counts.set(atMs, (counts.get(atMs) ?? 0) + 1);
  let place = 0;
  return entries.map(({ atMs, key, cost }, index) => {
    place = entries[index - 1]?.atMs === atMs ? place + 1 : 0;
    return { atMs: atMs - firstMs + (1_000 * place) / counts.get(atMs)!, key, cost };
  });
}
