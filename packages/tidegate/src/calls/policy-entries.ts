// The policies of a limiter, and what holds for each key of them: its limits, those of an override, or none.

import type { Coordination, CoordinationOpener } from "../coordination/coordination.ts";
import { createBlocked, createUnlimited, type Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { LimitDescription, PolicyDescription } from "../limiter.ts";
import { optionError, unknownName } from "../policy/options.ts";
import { createOverrides, type Overrides } from "../policy/overrides.ts";
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
export type Target =
  | { readonly ruling: undefined; readonly policy: Policy; readonly coordination: Coordination }
  | { readonly ruling: Decision };

/** The policies by name. */
export class PolicyEntries {
  readonly #entries = new Map<string, Entry>();
  readonly #open: CoordinationOpener;
  readonly #standard: CoordinationName;
  readonly #clock: Clock;
  readonly #descriptions = new WeakMap<Policy, PolicyDescription>();
  /** Changes whenever what `find` answers may have. */
  generation = 0;
  #default: string | undefined;

  constructor(open: CoordinationOpener, standard: CoordinationName, clock: Clock) {
    this.#open = open;
    this.#standard = standard;
    this.#clock = clock;
  }

  /** Adds a policy, or puts it in the place of the one of its name. */
  set(name: string, options: PolicyOptions): void {
    const policy = createPolicy(name, options);
    const overrides =
      options.overrides === undefined
        ? undefined
        : createOverrides(policy, options.overrides, options);
    const coordinationName = this.coordinationOf(name, options);
    if (coordinationName !== "hybrid") refuseLeaseOptions(name, options, coordinationName);
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
    const ruling = entry.overrides.find(key, nowUs);
    if (ruling === undefined) return entry;
    if (ruling.kind === "limits") {
      return { ruling: undefined, policy: ruling.policy, coordination: entry.coordination };
    }
    const { name, shadow } = entry.policy;
    if (ruling.kind === "unlimited") return { ruling: createUnlimited(name, key) };
    const msUntil = (instantUs: number) => Math.ceil((instantUs - nowUs) / 1_000);
    const retryMs = msUntil(entry.overrides.admitsFrom(key, ruling, cost));
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

/** What only leases have must not be accepted and ignored. */
function refuseLeaseOptions(name: string, options: PolicyOptions, coordination: string): void {
  for (const option of LEASE_OPTIONS) {
    if (options[option] === undefined) continue;
    const field = `policies.${name}.${option}`;
    const expected = `left out, since it is for coordination "hybrid" and this is "${coordination}"`;
    throw optionError(field, expected, options[option]);
  }
}

const LEASE_OPTIONS = ["syncInterval", "leaseFraction", "maxOvershoot"] as const;

function policyNameError(name: unknown): TidegateError {
  return requestError("policy", "a policy's name", name);
}

/** Returns a coordination's name, undefined where it is left out. */
export function checkCoordination(field: string, value: unknown): CoordinationName | undefined {
  if (value === undefined) return undefined;
  const known = COORDINATIONS.find((name) => name === value);
  if (known === undefined) {
    throw optionError(field, '"local", "central" or "hybrid"', value);
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
