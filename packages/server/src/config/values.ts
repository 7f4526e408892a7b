// Checks single values, the same wherever they are written: in the file or in an environment variable. The words after
// the name of a setting are made here, the name is put before them by who reads the setting.

import { isIP } from "node:net";
import { type CoordinationName, fixedWindow, TidegateError } from "tidegate";
import { parseRedisUrl } from "tidegate/redis";
import type { LogLevel } from "../configuration.ts";
import { nearest } from "./nearest.ts";
import { show } from "./problem.ts";
import { redactText } from "./redact.ts";

/** A value that is right, or how it is wrong: "must be a port, 0 to 65535, got -1". */
export type Checked<T> = { readonly value: T } | { readonly wrong: string };

/** The coordinations that a file may name. */
export const COORDINATIONS: readonly CoordinationName[] = ["local", "central", "hybrid", "gossip"];

/** The log levels, from the most to the least. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

const STORES =
  "memory, redis://host:6379, rediss://user:password@host:6379/0 (TLS), redis+cluster://host:7000,host:7000 " +
  "or redis+sentinel://host:26379,host:26379/master-name";

const HOST_NAME =
  /^(?=.{1,253}$)[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?(\.[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?)*\.?$/i;
const ALL_DIGITS_AND_DOTS = /^[\d.]+$/;
const MAX_DRAIN_MS = 3_600_000;
const MAX_NODES = 10_000;
const MAX_WEIGHT = 1_000;
const MAX_REGION = 64;

/** Checks a word out of a few. */
export function checkWord<T extends string>(words: readonly T[], value: unknown): Checked<T> {
  const known = words.find((word) => word === value);
  if (known !== undefined) return { value: known };
  return { wrong: `must be ${listOf(words)}, got ${show(value)}${didYouMean(value, words)}` };
}

/** Checks what is on or off. */
export function checkFlag(value: unknown): Checked<boolean> {
  if (typeof value === "boolean") return { value };
  return { wrong: `must be true or false, got ${show(value)}` };
}

/** Checks the name of a policy as far as it can be without knowing the policies. */
export function checkPolicyName(value: unknown): Checked<string> {
  // A policy that is called 1 is written as a number.
  if (typeof value === "string" || typeof value === "number") return { value: String(value) };
  return { wrong: `must be a policy's name, got ${show(value)}` };
}

/** Checks a port; 0 takes any free one. */
export function checkPort(value: unknown): Checked<number> {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) {
    return { value };
  }
  return { wrong: `must be a port from 1 to 65535, or 0 for any free one, got ${show(value)}` };
}

/** Checks how many nodes share the store. */
export function checkExpectedNodes(value: unknown): Checked<number> {
  const whole = typeof value === "number" && Number.isInteger(value);
  if (whole && value >= 1 && value <= MAX_NODES) return { value };
  return { wrong: `must be a whole number of nodes, 1 to ${MAX_NODES}, got ${show(value)}` };
}

/** Checks the name of where a node stands. */
export function checkRegion(value: unknown): Checked<string> {
  const fits = typeof value === "string" && value.length >= 1 && value.length <= MAX_REGION;
  if (fits) return { value };
  return { wrong: `must be a name of 1 to ${MAX_REGION} characters, got ${show(value)}` };
}

/** Checks what a region counts for beside others. */
export function checkWeight(value: unknown): Checked<number> {
  const whole = typeof value === "number" && Number.isInteger(value);
  if (whole && value >= 1 && value <= MAX_WEIGHT) return { value };
  return { wrong: `must be a whole number from 1 to ${MAX_WEIGHT}, got ${show(value)}` };
}

/** Checks an address to listen on: an IP address or a host name, without a port. */
export function checkHost(value: unknown): Checked<string> {
  if (typeof value === "string") {
    if (isIP(value) !== 0) return { value };
    if (HOST_NAME.test(value) && !ALL_DIGITS_AND_DOTS.test(value)) return { value };
  }
  const expected = 'an IP address or host name without a port, such as 127.0.0.1, 0.0.0.0 or "::"';
  return { wrong: `must be ${expected}, got ${show(value)}` };
}

/** Checks a store: "memory", or the address of a Redis. Passwords are not shown. */
export function checkStore(value: unknown): Checked<string> {
  if (value === "memory") return { value };
  if (typeof value !== "string") return { wrong: `must be ${STORES}, got ${show(value)}` };
  const url = value.trim();
  if (!url.includes(":")) {
    return { wrong: `must be ${STORES}, got ${show(value)}${didYouMean(value, ["memory"])}` };
  }
  try {
    parseRedisUrl(url);
    return { value: url };
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    // Only what is expected is taken from the message: what it quotes is quoted here, without user and password.
    const expected = /^url must be (.*?), got /s.exec(error.message)?.[1] ?? STORES;
    return { wrong: `must be ${expected}, got ${show(value)}` };
  }
}

/** Checks a duration, which must be written with its unit, and reads it as milliseconds. */
export function checkDuration(value: unknown): Checked<number> {
  if (typeof value === "number") {
    const expected = 'a duration with its unit, such as "500ms", "10s", "1m", "2h" or "1d"';
    return { wrong: `must be ${expected}, got ${show(value)}` };
  }
  // Durations are read by the library, so that they mean the same wherever they are written.
  const checked = checkOption("window", () => fixedWindow({ limit: 1, window: value as string }));
  return "wrong" in checked ? checked : { value: checked.value.windowUs / 1_000 };
}

/** Checks how long a drain may take, and reads it as milliseconds. */
export function checkDrainTimeout(value: unknown): Checked<number> {
  const checked = checkDuration(value);
  if ("wrong" in checked || checked.value <= MAX_DRAIN_MS) return checked;
  return { wrong: `must be a duration from 1ms to 1h, got ${show(value)}` };
}

/** Runs one of the library's checks, and takes the option's own name off its message. */
export function checkOption<T>(option: string, check: () => T): Checked<T> {
  try {
    return { value: check() };
  } catch (error) {
    const message = messageOf(error);
    return { wrong: message.startsWith(`${option} `) ? message.slice(option.length + 1) : message };
  }
}

/** Words the question after a misspelt word, or nothing. */
export function didYouMean(value: unknown, candidates: readonly string[]): string {
  const meant = typeof value === "string" ? nearest(value, candidates) : undefined;
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** Returns the message of the library's refusal, without passwords; any other error is a fault and goes on. */
export function messageOf(error: unknown): string {
  const refused = error instanceof TidegateError && error.code === "INVALID_OPTION";
  if (refused) return redactText(error.message);
  throw error;
}

/** Lists words as a sentence does: "a, b or c". */
export function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
