// The policies of a limiter, and what holds for each key of them: its limits, those of an override, or none.

import type { Coordination, CoordinationOpener } from "../coordination/coordination.ts";
import { createBlocked, createUnlimited, type Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { LimitDescription, PolicyDescription } from "../limiter.ts";
import { optionError, unknownName } from "../policy/options.ts";
import { couldAdmit, createOverrides, type Overrides } from "../policy/overrides.ts";
import {
  COORDINATIONS,
  type CoordinationName,
  createPolicy,
  type Policy,
  type PolicyOptions,
} from "../policy/policy.ts";
import { requestError } from "../policy/request.ts";
import type { Clock } from "../ports/clock.ts";

/** A policy with all that belongs to it; the target of keys that no override names. */
export interface Entry {
  readonly ruling: undefined;
  readonly policy: Policy;
  readonly overrides: Overrides | undefined;
  readonly coordination: Coordination;
  /** Whether a check needs to look no further: no overrides, no permits. */
  readonly direct: boolean;
}

/** What a key is decided by: limits, or an answer that is there already. */
export type Target = Deciders | { readonly ruling: Decision };

/** Limits, and who decides by them. */
export interface Deciders {
  readonly ruling: undefined;
  readonly policy: Policy;
  readonly coordination: Coordination;
  /** Milliseconds until limits hold that could admit the cost: left out where these could, or none ever will. */
  readonly laterMs?: number | undefined;
}

/** The policies by name. */
export class PolicyEntries {
  readonly #entries = new Map<string, Entry>();
  readonly #open: CoordinationOpener;
  readonly #standard: CoordinationName;
  readonly #clock: Clock;
  readonly #region: string;
  readonly #descriptions = new WeakMap<Policy, PolicyDescription>();
  /** Changes whenever what `find` answers may have. */
  generation = 0;
  #default: string | undefined;

  constructor(open: CoordinationOpener, standard: CoordinationName, clock: Clock, region: string) {
    this.#open = open;
    this.#standard = standard;
    this.#clock = clock;
    this.#region = region;
  }

  /** Adds a policy, or puts it in the place of the one of its name. */
  set(name: string, options: PolicyOptions): void {
    const coordinationName = this.coordinationOf(name, options);
    const policy = createPolicy(name, options, this.#region);
    const overrides =
      options.overrides === undefined
        ? undefined
        : createOverrides(policy, options.overrides, options, this.#region);
    refuseUnused(name, options);
    refuseOthers(name, options, coordinationName);
    const coordination = this.#open(coordinationName);
    coordination.use(policy);
    const direct = overrides === undefined && !policy.holds;
    this.#entries.set(name, {
      ruling: undefined,
      policy,
      overrides,
      coordination,
      direct,
    });
    this.generation += 1;
  }

  /** Returns the coordination that a policy says or the limiter has, checked. */
  coordinationOf(name: string, options: PolicyOptions): CoordinationName {
    const field = `policies.${name}.coordination`;
    return checkCoordination(field, options?.coordination) ?? this.#standard;
  }

  /** Has requests of no known policy decided by this one. */
  setDefault(name: unknown): void {
    if (name === undefined) return;
    if (typeof name !== "string" || !this.#entries.has(name)) {
      const known = [...this.#entries.keys()].map((one) => JSON.stringify(one)).join(", ");
      throw optionError("defaultPolicy", `the name of a policy (${known})`, name);
    }
    this.#default = name;
  }

  /** Finds a policy of exactly this name. */
  look(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  /** @throws TidegateError UNKNOWN_POLICY */
  find(name: string | undefined): Entry {
    const entry = this.#entries.get(name as string) ?? this.#entries.get(this.#default as string);
    if (entry === undefined) throw this.#unknown(name);
    if (name !== undefined && typeof name !== "string") throw policyNameError(name);
    return entry;
  }

  /** Finds what a key of an entry is decided by; of a key that is blocked, the answer is that to the cost. */
  target(entry: Entry, key: string, cost = 0): Target {
    if (entry.overrides === undefined) return entry;
    const nowUs = this.#clock.now();
    const { overrides, coordination } = entry;
    const ruling = overrides.find(key, nowUs);
    if (ruling === undefined) return entry;
    const msUntil = (instantUs: number) => Math.ceil((instantUs - nowUs) / 1_000);
    const retryIn = () => msUntil(overrides.admitsFrom(key, ruling, cost));
    if (ruling.kind === "limits") {
      const { policy } = ruling;
      const retryMs = couldAdmit(policy, cost) ? Number.POSITIVE_INFINITY : retryIn();
      const laterMs = Number.isFinite(retryMs) ? retryMs : undefined;
      return { ruling: undefined, policy, coordination, laterMs };
    }
    const { name, shadow } = entry.policy;
    if (ruling.kind === "unlimited") return { ruling: createUnlimited(name, key) };
    const retryMs = retryIn();
    return { ruling: createBlocked(name, key, retryMs, msUntil(ruling.untilUs), shadow) };
  }

  /** Describes what holds for a key, or for those that no override names. */
  describe(name: string, key: string | undefined): PolicyDescription {
    const entry = this.find(name);
    const target: Target = key === undefined ? entry : this.target(entry, key);
    if (target.ruling !== undefined) {
      return { name: entry.policy.name, limits: [], shadow: entry.policy.shadow };
    }
    let description = this.#descriptions.get(target.policy);
    if (description === undefined) {
      description = describe(target.policy);
      this.#descriptions.set(target.policy, description);
    }
    return description;
  }

  #unknown(name: unknown): TidegateError {
    if (name === undefined) {
      const message = "policy must be named, since the limiter has no defaultPolicy";
      return new TidegateError("INVALID_REQUEST", message, { field: "policy" });
    }
    if (typeof name !== "string") return policyNameError(name);
    const message = unknownName("policy", name, "this limiter", [...this.#entries.keys()]);
    return new TidegateError("UNKNOWN_POLICY", message, { field: "policy" });
  }
}

/** What only one coordination has must not be accepted and ignored beside another. */
function refuseOthers(name: string, options: PolicyOptions, coordination: CoordinationName): void {
  if (coordination === "local" && options.regions !== undefined) {
    const expected = 'left out beside coordination "local", by which each node has the whole limit';
    throw optionError(`policies.${name}.regions`, expected, options.regions);
  }
  for (const [owner, owned] of OWNED_OPTIONS) {
    if (owner === coordination) continue;
    for (const option of owned) {
      if (options[option] === undefined) continue;
      const field = `policies.${name}.${option}`;
      const expected = `left out, since it is for coordination "${owner}" and this is "${coordination}"`;
      throw optionError(field, expected, options[option]);
    }
  }
}

const OWNED_OPTIONS = [
  ["hybrid", ["syncInterval", "leaseFraction", "maxOvershoot"]],
  ["gossip", ["partition"]],
] as const;

/**
 * What is said of a store must not be accepted and ignored where the policy itself says that it asks none. Where it is
 * the limiter that has none, the same policies may be tried in memory.
 */
function refuseUnused(name: string, options: PolicyOptions): void {
  const { coordination } = options;
  if (coordination !== "local" && coordination !== "gossip") return;
  for (const option of ["deadline", "onStoreFailure"] as const) {
    if (options[option] === undefined) continue;
    const expected = `left out beside coordination "${coordination}", which asks no store`;
    throw optionError(`policies.${name}.${option}`, expected, options[option]);
  }
}

function policyNameError(name: unknown): TidegateError {
  return requestError("policy", "a policy's name", name);
}

/** Returns a coordination's name, undefined where it is left out. */
export function checkCoordination(field: string, value: unknown): CoordinationName | undefined {
  if (value === undefined) return undefined;
  const known = COORDINATIONS.find((name) => name === value);
  if (known === undefined) {
    throw optionError(field, '"local", "central", "hybrid" or "gossip"', value);
  }
  return known;
}

function describe(policy: Policy): PolicyDescription {
  const limits = policy.limits.map((limit, index): LimitDescription => {
    return Object.freeze({
      name: policy.limitNames[index]!,
      algorithm: limit.algorithm,
      limit: limit.limit,
      windowMs: Math.ceil(limit.windowUs / 1_000),
      soft: limit.soft,
    });
  });
  return Object.freeze({
    name: policy.name,
    limits: Object.freeze(limits),
    shadow: policy.shadow,
  });
}
