// The checks that go out as one script call: writes the call's arguments, reads its reply. Checks of one key share
// one read and one write in Redis and are decided in the order in which they came.

import { decide, NUMBERS_PER_LIMIT } from "../../algorithms/decide.ts";
import { createDecision, type Decision } from "../../decision.ts";
import type { Policy } from "../../policy/policy.ts";
import { redisKey } from "./key.ts";

/** One check that waits for its answer. */
export interface PendingCheck {
  readonly key: string;
  readonly cost: number;
  readonly consume: boolean;
  readonly resolve: (decision: Decision) => void;
  readonly reject: (error: unknown) => void;
}

/** Ceiling of states that Redis has brought to `now` already, which nothing exceeds. */
const NO_CEILING = Number.MAX_SAFE_INTEGER;

interface Group {
  readonly policy: Policy;
  /** The checks of each key, in order. Found by the key that the caller has, whose hash is known; a name is new. */
  readonly lists: Map<string, PendingCheck[]>;
}

/** Collects checks, and settles them from the script's reply. */
export class Batch {
  /** Number of checks in it. */
  size = 0;
  readonly #groups = new Map<string, Group>();

  /** Whether a check of `policy` may go into this batch: not beside another definition of the same policy. */
  takes(policy: Policy): boolean {
    const group = this.#groups.get(policy.name);
    return group === undefined || group.policy.identity === policy.identity;
  }

  /** Adds a check of a policy that the batch takes. */
  add(policy: Policy, check: PendingCheck): void {
    this.size += 1;
    let group = this.#groups.get(policy.name);
    if (group === undefined) {
      group = { policy, lists: new Map() };
      this.#groups.set(policy.name, group);
    }
    const list = group.lists.get(check.key);
    if (list === undefined) group.lists.set(check.key, [check]);
    else list.push(check);
  }

  /** The script's KEYS: the Redis keys under `prefix`. */
  keys(prefix: string): string[] {
    const names: string[] = [];
    for (const { policy, lists } of this.#groups.values()) {
      for (const key of lists.keys()) names.push(redisKey(prefix, policy.name, key));
    }
    return names;
  }

  /** The script's ARGV, as decide.lua documents it. */
  args(): string[] {
    const args = [String(this.#groups.size)];
    for (const { policy, lists } of this.#groups.values()) {
      args.push(policy.rules, String(policy.limits.length), String(lists.size));
      for (const limit of policy.limits) {
        if (limit.algorithm === "token-bucket") {
          args.push(String(limit.limit), String(limit.periodUs), String(limit.units));
        } else {
          args.push(String(limit.limit), String(limit.windowUs), "0");
        }
      }
      for (const list of lists.values()) {
        args.push(list.length === 1 ? costOf(list[0]!) : list.map(costOf).join(","));
      }
    }
    return args;
  }

  /**
   * Answers every check from the script's reply.
   * @throws where the reply is not what the script returns; nothing is answered then.
   */
  settle(reply: unknown): void {
    const answers = this.#read(reply);
    let index = 0;
    for (const { lists } of this.#groups.values()) {
      for (const list of lists.values()) {
        for (const check of list) {
          check.resolve(answers[index]!);
          index += 1;
        }
      }
    }
  }

  /** Rejects every check. */
  fail(error: unknown): void {
    for (const { lists } of this.#groups.values()) {
      for (const list of lists.values()) for (const check of list) check.reject(error);
    }
  }

  #read(reply: unknown): Decision[] {
    if (!Array.isArray(reply)) throw new Error(`the script answered ${typeof reply}, not a list`);
    // Clients may be set to answer numbers as strings.
    const numbersOf: readonly number[] = typeof reply[0] === "number" ? reply : reply.map(Number);
    const now = numbersOf[0]!;
    const answers: Decision[] = [];
    let position = 1;
    for (const { policy, lists } of this.#groups.values()) {
      const numbers = new Float64Array(policy.limits.length * NUMBERS_PER_LIMIT);
      for (const list of lists.values()) {
        for (const check of list) {
          const taken = numbersOf[position]! % 2 !== 0;
          let odd = taken ? 1 : 0;
          for (let index = 0; index < policy.limits.length; index += 1) {
            const limit = policy.limits[index]!;
            const whole = limit.algorithm === "token-bucket" && limit.partUs === 0;
            numbers[index * NUMBERS_PER_LIMIT] = now + (numbersOf[position]! - odd) / 2;
            numbers[index * NUMBERS_PER_LIMIT + 1] = whole ? NO_CEILING : numbersOf[position + 1]!;
            position += whole ? 1 : 2;
            odd = 0;
          }
          const wait = taken ? 0 : decide(policy.limits, numbers, 0, now, check.cost, false);
          if (wait === 0 && !taken && check.consume) throw new Error("the script denied what fits");
          answers.push(
            createDecision(policy, check.key, check.cost, wait, numbers, 0, now, "store"),
          );
        }
      }
    }
    if (position !== numbersOf.length || !Number.isSafeInteger(now)) {
      throw new Error(`the script answered ${numbersOf.length} numbers, not ${position}`);
    }
    return answers;
  }
}

function costOf(check: PendingCheck): string {
  return check.consume ? String(check.cost) : `?${check.cost}`;
}
