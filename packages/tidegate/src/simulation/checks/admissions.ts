// What was admitted, by key, and by whatever else has a limit of its own: a node, a life of it, an epoch of the store.

import type { Policy } from "../../policy/policy.ts";
import { type Admission, type Allowance, excessOf } from "./limit-account.ts";

/** A key that went beyond what is allowed. */
export interface Breach {
  readonly key: string;
  readonly units: number;
  /** In the time of the simulation. */
  readonly trueUs: number;
  readonly limitName: string;
}

/** Returns by how much a key may exceed the limit at a place in the policy. */
export type AllowanceOf = (limit: number, key: string) => Allowance;

/** Admissions by group and key. */
export class Admissions {
  readonly #groups = new Map<string, Map<string, Admission[]>>();

  add(group: string, key: string, admission: Admission): void {
    let keys = this.#groups.get(group);
    if (keys === undefined) {
      keys = new Map();
      this.#groups.set(group, keys);
    }
    const admissions = keys.get(key);
    if (admissions === undefined) keys.set(key, [admission]);
    else admissions.push(admission);
  }

  /** The keys, each once in each group, by names that tell them apart. */
  get names(): readonly string[] {
    return [...this.#groups].flatMap(([group, keys]) => {
      return [...keys.keys()].map((key) => `${group} ${key}`);
    });
  }

  /**
   * Finds the worst breach of a policy's hard limits.
   * @param allowanceOf what a key may exceed each limit by.
   */
  worst(policy: Policy, allowanceOf: AllowanceOf): Breach | undefined {
    let worst: Breach | undefined;
    for (const keys of this.#groups.values()) {
      for (const [key, admissions] of keys) {
        admissions.sort((one, other) => one.atUs - other.atUs);
        for (const [index, limit] of policy.limits.entries()) {
          if (limit.soft) continue;
          const { units, trueUs } = excessOf(limit, admissions, allowanceOf(index, key));
          if (units <= (worst?.units ?? 0)) continue;
          worst = { key, units, trueUs, limitName: policy.limitNames[index]! };
        }
      }
    }
    return worst;
  }
}
