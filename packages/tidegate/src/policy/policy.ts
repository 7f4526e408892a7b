// A policy, checked: the named rule that every store and coordination decides by.

import { isPlain } from "../algorithms/decide.ts";
import type { Limit } from "../algorithms/dispatch.ts";
import { TidegateError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import { checkName, isLimit, LIMIT_FACTORIES } from "./limits.ts";
import { checkOptions, optionError } from "./options.ts";
import { checkRegions } from "./regions.ts";
import { partOfLimit, shareOfLimit } from "./share.ts";

/**
 * How nodes share a count: each alone in its memory; all through one store that decides; each in its memory, from
 * leases of that store; or each in its memory, telling the others of what it admitted.
 */
export type CoordinationName = "local" | "central" | "hybrid" | "gossip";

/** The coordinations that exist, for checks and messages. */
export const COORDINATIONS: readonly CoordinationName[] = ["local", "central", "hybrid", "gossip"];

/**
 * What a node does while others are away: it enforces the whole limit with those that it hears from, so that each side
 * of a partition admits as much; or it keeps to the part that it had, so that all together never admit more.
 */
export type Partition = "full" | "share";

const PARTITIONS: readonly Partition[] = ["full", "share"];

/**
 * How a check is answered that the store does not: admitted, denied, or decided in this node's memory by its share of
 * the limits.
 */
export type OnStoreFailure = "allow" | "deny" | "local";

const FAILURE_ANSWERS: readonly OnStoreFailure[] = ["allow", "deny", "local"];

/** A policy as an application writes it. */
export interface PolicyOptions {
  /** One to eight limits; a request is admitted where all of them admit it. */
  readonly limits: readonly Limit[];
  /** Overrides the limiter's coordination for this policy. */
  readonly coordination?: CoordinationName;
  /** Other limits for some keys. The most specific that fits and has not ended holds. */
  readonly overrides?: readonly OverrideOptions[];
  /** From which share of a limit on decisions say `nearLimit`: "80%", or a number up to 1; default 0.8. */
  readonly nearLimit?: number | string;
  /** Decides, counts and reports, but always admits. */
  readonly shadow?: boolean;
  /** How long the `id` of a request is remembered, "1ms" to "1d"; default "1m". */
  readonly idTtl?: string | number;
  /**
   * How long a call of the store may take, "1ms" to "1s"; default "50ms". Then `onStoreFailure` answers. Of no effect
   * where the limiter has no shared store; refused beside a `coordination: "local"` of the policy's own.
   */
  readonly deadline?: string | number;
  /** Answers where the store does not; default "allow". Of no effect, and refused, as `deadline` is. */
  readonly onStoreFailure?: OnStoreFailure;
  /**
   * Of "hybrid" alone: how long a node does not ask for a key again after it was granted less than it wanted, "10ms" to
   * "10s"; default "100ms". Shorter follows the limit more closely, longer asks the store less.
   */
  readonly syncInterval?: string | number;
  /** Of "hybrid" alone: which part of what nobody wants a node is granted on top, 0 to 1; default 0.25. */
  readonly leaseFraction?: number;
  /**
   * Of "hybrid" alone: which part of a limit all nodes together may admit before the store has answered, 0 to 1;
   * default 0. It is repaid as debt.
   */
  readonly maxOvershoot?: number;
  /** Of "gossip" alone: what is enforced while other nodes are away; default "full". */
  readonly partition?: Partition;
  /**
   * The weight of each region by name, 1 to 1,000: each then enforces its part of the limits by itself, with a store of
   * its own or by gossip within it. Left out, the limits are one for all nodes.
   */
  readonly regions?: Readonly<Record<string, number>>;
}

/** An override as an application writes it: exactly one of `limits`, `unlimited` and `blocked`. */
export interface OverrideOptions {
  /** A key, or a pattern with one `*`, which stands for any run of characters: "user:vip-*". */
  readonly key: string;
  /** Instead of the policy's. */
  readonly limits?: readonly Limit[];
  /** Always admitted, and not counted. */
  readonly unlimited?: boolean;
  /** Always denied. */
  readonly blocked?: boolean;
  /** When it ends: "2027-01-31T12:00:00Z", with an offset or Z, or milliseconds since the epoch. */
  readonly until?: string | number;
}

/** A checked policy. `limitNames[i]` names `limits[i]`. */
export interface Policy {
  readonly name: string;
  readonly limits: readonly Limit[];
  readonly limitNames: readonly string[];
  /** The same for two policies exactly where they decide and answer the same. */
  readonly identity: string;
  /** Names what the stored states mean: states written under the same `rules` need no conversion. */
  readonly rules: string;
  /** Where the numbers of each limit begin in a key's state, and how many numbers that has. */
  readonly offsets: readonly number[];
  readonly width: number;
  /** Whether all its limits are hard and their states plain numbers, as decide() needs. */
  readonly plain: boolean;
  /** Whether its units can be spent from a node's memory: what is taken is taken, wherever and in whatever order. */
  readonly leasable: boolean;
  /** Whether it is one limit, hard, without queue or permits, and no shadow. */
  readonly simple: boolean;
  /** Whether an admitted request may have to wait its turn. */
  readonly queues: boolean;
  /** Whether it has a concurrency limit, and so is acquired and not checked. */
  readonly holds: boolean;
  /** By limit, the most units that may remain for it to be near. */
  readonly nearRemaining: readonly number[];
  readonly shadow: boolean;
  readonly idTtlUs: number;
  readonly deadlineMs: number;
  readonly onStoreFailure: OnStoreFailure;
  readonly syncIntervalMs: number;
  readonly leaseFraction: number;
  readonly maxOvershoot: number;
  readonly partition: Partition;
  /** Whether its limits are a region's part, and counted in it alone. */
  readonly isRegional: boolean;
}

/** The most limits of one policy. */
export const MAX_LIMITS = 8;

const DEFAULT_NEAR_LIMIT = 0.8;
const DEFAULT_ID_TTL_MS = 60_000;
const DEFAULT_DEADLINE_MS = 50;
const DEFAULT_SYNC_INTERVAL_MS = 100;
const DEFAULT_LEASE_FRACTION = 0.25;
/** A connection of Tidegate's own ends a call after this long anyway. */
const MAX_DEADLINE_MS = 1_000;
/** The longest time that ids and reservations are remembered: a day. */
export const MAX_RECORD_MS = 86_400_000;

const OPTIONS: readonly string[] = [
  ...["limits", "coordination", "overrides", "nearLimit", "shadow", "idTtl", "deadline"],
  ...["onStoreFailure", "syncInterval", "leaseFraction", "maxOvershoot", "partition", "regions"],
];

/** What is the same for all keys of a policy, overridden or not. */
export type PolicySettings = Pick<
  PolicyOptions,
  | "nearLimit"
  | "shadow"
  | "idTtl"
  | "deadline"
  | "onStoreFailure"
  | "syncInterval"
  | "leaseFraction"
  | "maxOvershoot"
  | "partition"
  | "regions"
>;

/**
 * Checks a policy, of which a limiter in `region` has its part.
 * @throws TidegateError INVALID_OPTION naming the option by its path, e.g. "policies.api.limits[0]".
 */
export function createPolicy(name: string, options: PolicyOptions, region = ""): Policy {
  checkName("the name of a policy", name);
  const path = `policies.${name}`;
  checkOptions(path, options, OPTIONS);
  return policyOf(name, path, options.limits, options, region);
}

/** Checks the limits that a policy has for some of its keys; `path` is where they are written. */
export function policyOf(
  name: string,
  path: string,
  wholeLimits: readonly Limit[],
  settings: PolicySettings,
  region: string,
): Policy {
  checkLimits(`${path}.limits`, wholeLimits);
  const part = checkRegions(`policies.${name}.regions`, settings.regions, region);
  const limits =
    part === undefined
      ? wholeLimits
      : wholeLimits.map((limit) => partOfLimit(limit, part.weight, part.whole));
  const limitNames = limits.map((limit, index) => {
    return limit.name ?? (limits.length === 1 ? name : `${name}-${index + 1}`);
  });
  checkNamesDiffer(`${path}.limits`, limitNames);
  const near = checkNearLimit(`policies.${name}.nearLimit`, settings.nearLimit);
  const shadow = checkFlag(`policies.${name}.shadow`, settings.shadow);
  const idTtlUs = checkIdTtl(`policies.${name}.idTtl`, settings.idTtl);
  const deadlineMs = checkDeadline(`policies.${name}.deadline`, settings.deadline);
  const onStoreFailure = checkOnStoreFailure(
    `policies.${name}.onStoreFailure`,
    settings.onStoreFailure,
  );
  const syncIntervalMs = checkSyncInterval(`policies.${name}.syncInterval`, settings.syncInterval);
  const leaseFraction =
    checkFraction(`policies.${name}.leaseFraction`, settings.leaseFraction) ??
    DEFAULT_LEASE_FRACTION;
  const maxOvershoot = checkFraction(`policies.${name}.maxOvershoot`, settings.maxOvershoot) ?? 0;
  const partition = checkPartition(`policies.${name}.partition`, settings.partition);
  const rules = limits.map(({ rule }) => rule).join(";");
  let width = 0;
  const offsets = limits.map((limit) => {
    width += limit.width;
    return width - limit.width;
  });
  const plain = limits.every(isPlain);
  const queues = limits.some(({ algorithm }) => algorithm === "leaky-bucket");
  return Object.freeze({
    name,
    limits: Object.freeze([...limits]),
    limitNames,
    rules,
    identity: JSON.stringify([name, rules, limitNames, limits.map(variantOf), near, shadow]),
    offsets,
    width,
    plain,
    leasable: plain && !queues,
    simple: limits.length === 1 && plain && !queues && !shadow,
    queues,
    holds: limits.some(({ algorithm }) => algorithm === "concurrency"),
    nearRemaining: limits.map(({ limit }) => Math.floor(limit - near * limit + 1e-6)),
    shadow,
    idTtlUs,
    deadlineMs,
    onStoreFailure,
    syncIntervalMs,
    leaseFraction,
    maxOvershoot,
    partition,
    isRegional: part !== undefined,
  });
}

/** Returns the policy by which one of `nodes` decides alone, each limit at its share. */
export function shareOfPolicy(policy: Policy, nodes: number): Policy {
  if (nodes === 1) return policy;
  const limits = policy.limits.map((limit) => shareOfLimit(limit, nodes));
  const rules = limits.map(({ rule }) => rule).join(";");
  return Object.freeze({
    ...policy,
    limits: Object.freeze(limits),
    rules,
    identity: JSON.stringify([policy.identity, rules, limits.map(variantOf)]),
    nearRemaining: policy.nearRemaining.map((near) => Math.floor(near / nodes)),
  });
}

/** Whether no wait would admit a cost: it is more than a hard limit has at all. */
export function isNever({ limits }: Policy, cost: number): boolean {
  return limits.some(({ soft, limit }) => !soft && cost > limit);
}

/** What two limits of one rule may differ in. */
function variantOf({ algorithm, limit, soft, windowUs }: Limit): unknown[] {
  return [algorithm, limit, soft, algorithm === "concurrency" ? windowUs : 0];
}

function checkLimits(field: string, limits: unknown): void {
  if (!Array.isArray(limits) || limits.length < 1 || limits.length > MAX_LIMITS) {
    throw optionError(field, `a list of 1 to ${MAX_LIMITS} limits`, limits);
  }
  for (const [index, limit] of limits.entries()) {
    if (!isLimit(limit)) {
      throw optionError(`${field}[${index}]`, `a limit made by ${LIMIT_FACTORIES}`, limit);
    }
  }
}

function checkNamesDiffer(field: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  const message = `${field} must have names that differ, got "${twice}" twice`;
  throw new TidegateError("INVALID_OPTION", message, { field });
}

/** Reads a share: "80%", or a number above 0 up to 1. */
function checkNearLimit(field: string, value: unknown): number {
  if (value === undefined) return DEFAULT_NEAR_LIMIT;
  const percent =
    typeof value === "string" ? /^(\d{1,3}(?:\.\d{1,3})?) ?%$/.exec(value.trim()) : null;
  const share = percent === null ? value : Number(percent[1]) / 100;
  if (typeof share === "number" && share > 0 && share <= 1) return share;
  throw optionError(field, 'a share such as "80%" or 0.8, above 0 and up to 1', value);
}

/** Returns a flag, false where it is left out. */
export function checkFlag(field: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw optionError(field, "true or false", value);
}

function checkDeadline(field: string, value: unknown): number {
  if (value === undefined) return DEFAULT_DEADLINE_MS;
  const milliseconds = parseDuration(field, value);
  if (milliseconds > MAX_DEADLINE_MS) throw optionError(field, "a duration of at most 1s", value);
  return milliseconds;
}

function checkSyncInterval(field: string, value: unknown): number {
  if (value === undefined) return DEFAULT_SYNC_INTERVAL_MS;
  const milliseconds = parseDuration(field, value);
  if (milliseconds < 10 || milliseconds > 10_000) {
    throw optionError(field, "a duration from 10ms to 10s", value);
  }
  return milliseconds;
}

function checkFraction(field: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw optionError(field, "a number from 0 to 1", value);
}

function checkOnStoreFailure(field: string, value: unknown): OnStoreFailure {
  if (value === undefined) return "allow";
  const known = FAILURE_ANSWERS.find((answer) => answer === value);
  if (known === undefined) throw optionError(field, '"allow", "deny" or "local"', value);
  return known;
}

function checkPartition(field: string, value: unknown): Partition {
  if (value === undefined) return "full";
  const known = PARTITIONS.find((one) => one === value);
  if (known === undefined) throw optionError(field, '"full" or "share"', value);
  return known;
}

function checkIdTtl(field: string, value: unknown): number {
  return recordUs(field, value, DEFAULT_ID_TTL_MS);
}

/**
 * Reads how long something is remembered, in microseconds.
 * @throws TidegateError INVALID_OPTION naming `field`, where it is no duration or above a day.
 */
export function recordUs(field: string, value: unknown, standardMs: number): number {
  if (value === undefined) return standardMs * 1_000;
  const milliseconds = parseDuration(field, value);
  if (milliseconds > MAX_RECORD_MS) throw optionError(field, "a duration of at most 1d", value);
  return milliseconds * 1_000;
}
