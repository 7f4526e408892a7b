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

  /** How many keys there are, each once in each group. */
  get size(): number {
    return [...this.#groups.values()].reduce((sum, keys) => sum + keys.size, 0);
  }

  /**
   * Finds the worst breach of a policy's hard limits.
   * @param allowanceOf what each limit may be exceeded by.
   */
  worst(policy: Policy, allowanceOf: (limit: number) => Allowance): Breach | undefined {
    let worst: Breach | undefined;
    for (const keys of this.#groups.values()) {
      for (const [key, admissions] of keys) {
        admissions.sort((one, other) => one.atUs - other.atUs);
        for (const [index, limit] of policy.limits.entries()) {
          if (limit.soft) continue;
          const { units, trueUs } = excessOf(limit, admissions, allowanceOf(index));
          if (units <= (worst?.units ?? 0)) continue;
          worst = { key, units, trueUs, limitName: policy.limitNames[index]! };
        }
      }
    }
    return worst;
  }
}
