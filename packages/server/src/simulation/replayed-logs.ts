// Puts the requests of logs in the place of their names, in the traffic of a scenario.

import { show } from "../config/problem.ts";
import { checkWord, didYouMean } from "../config/values.ts";
import { ACCESS_FIELDS, LOG_FORMATS, type LogFormat } from "./log-lines.ts";
import { type LogFields, readLog } from "./read-log.ts";

/** Returns the bytes of the log that a scenario names so; throws where it cannot. */
export type LoadLog = (path: string) => Uint8Array;

/** What is told of a log. */
export interface LogListener {
  /** It is wrong; `path` is the option that is at fault, and the message names it. */
  wrong(path: string, message: string): void;
  /** Lines were left out. */
  note(text: string): void;
}

const FIELDS = ["time", "key", "cost"];
const LOG_OPTIONS = ["log", "format", "fields"];

/** Returns a stream of traffic with the requests of its log; as it is where it has none. */
export function replayLog(
  stream: object,
  path: string,
  load: LoadLog,
  listener: LogListener,
): object {
  if (!("log" in stream)) return stream;
  const { log, format, fields, ...others } = stream as Record<string, unknown>;
  const meant = { ...others, requests: [{ atMs: 0, key: "unknown" }] };
  const fault = (option: string, wrong: string) => {
    listener.wrong(`${path}.${option}`, `${path}.${option} ${wrong}`);
    return meant;
  };
  if (typeof log !== "string" || log === "") {
    return fault("log", `must be the path of a log, got ${show(log)}`);
  }
  const kind = checkWord(LOG_FORMATS, format ?? formatOf(log));
  if ("wrong" in kind) return fault("format", kind.wrong);
  const named = checkFields(fields, kind.value);
  if ("wrong" in named) return fault(named.option, named.wrong);
  let bytes: Uint8Array;
  try {
    bytes = load(log);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : message;
    return fault("log", `${show(log)} cannot be read: ${reason}`);
  }
  const read = readLog(bytes, kind.value, named);
  if ("wrong" in read) return fault("log", `${show(log)} ${read.wrong}`);
  if (read.unreadable > 0) {
    const left = `${read.unreadable} of ${read.lines} lines of ${show(log)} are left out`;
    listener.note(`${left}, as they cannot be read; ${read.firstUnreadable}`);
  }
  return { ...others, requests: read.requests };
}

/** Options that stand in a file in the place of `requests`, for messages that list what is known. */
export function sayLogOptions(message: string): string {
  return message.replace(/, requests(?=,|$)/, `, requests, ${LOG_OPTIONS.join(", ")}`);
}

function formatOf(path: string): LogFormat {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".csv")) return "csv";
  return /\.(json|jsonl|ndjson)$/.test(name) ? "json" : "combined";
}

type Wrong = { readonly option: string; readonly wrong: string };

function checkFields(fields: unknown, format: LogFormat): LogFields | Wrong {
  const isAccess = format === "common" || format === "combined";
  const standard = { time: "time", key: isAccess ? "address" : "key" };
  if (fields === undefined) return standard;
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    const expected = "must be a map such as { time: ts, key: user.id, cost: tokens }";
    return { option: "fields", wrong: `${expected}, got ${show(fields)}` };
  }
  for (const [name, field] of Object.entries(fields)) {
    const option = `fields.${name}`;
    if (!FIELDS.includes(name)) {
      const hint = didYouMean(name, FIELDS) || `; known are ${FIELDS.join(", ")}`;
      return { option, wrong: `is unknown${hint}` };
    }
    if (typeof field !== "string" || field === "") {
      return { option, wrong: `must be the name of a field, got ${show(field)}` };
    }
    const known = isAccess ? checkWord<string>(ACCESS_FIELDS, field) : { value: field };
    if ("wrong" in known) return { option, wrong: known.wrong };
  }
  return { ...standard, ...fields };
}
