// The checks that go out as one script call: writes the call's arguments, reads its reply. Checks of one key share
// one read and one write in Redis and are decided in the order in which they came.

import { waitFor } from "../../algorithms/dispatch.ts";
import { createDecision, type Decision } from "../../decision.ts";
import type { Policy } from "../../policy/policy.ts";
import type { AnswerTo } from "../../ports/store.ts";
import type { KeyNames } from "./key.ts";
import { pushPolicy } from "./plain-policy.ts";

/** One check that waits for its answer. */
export interface PendingCheck {
  readonly key: string;
  readonly cost: number;
  readonly consume: boolean;
  readonly answerTo: AnswerTo<Decision>;
}

interface Group {
  readonly policy: Policy;
  /** The checks of each key, in order. Found by the key that the caller has, whose hash is known; a name is new. */
  readonly lists: Map<string, PendingCheck[]>;
  /** The keys' names, in the same order. */
  readonly names: string[];
}

/** What goes out as one script call. */
export interface ScriptBatch {
  /** About how much it asks of Redis: the number of its checks. */
  readonly size: number;
  /** How long its call may wait to be sent, in milliseconds: the longest deadline of its checks. */
  readonly deadlineMs: number;
  /**
   * The call's KEYS and ARGV, as the script documents them.
   * @param nowUs about what Redis' clock says, for calendar windows.
   */
  call(nowUs: number): { readonly keys: readonly string[]; readonly args: readonly string[] };
  /**
   * Answers everything from the script's reply.
   * @throws where the reply is not what the script returns; nothing is answered then.
   */
  settle(reply: readonly number[]): void;
  /** Rejects everything. */
  fail(error: unknown): void;
}

/** Collects plain checks, and settles them from the reply of decide.lua. */
export class Batch implements ScriptBatch {
  size = 0;
  deadlineMs = 0;
  readonly #nameOf: KeyNames;
  /** By the identity of their policy: overrides give keys of one policy name different limits. */
  readonly #groups = new Map<string, Group>();
  readonly #byName = new Map<string, Group[]>();

  constructor(nameOf: KeyNames) {
    this.#nameOf = nameOf;
  }

  /** Whether a check of a policy key is in it. */
  has(policy: string, key: string): boolean {
    return this.#byName.get(policy)?.some(({ lists }) => lists.has(key)) === true;
  }

  /** Whether a check of `policy` may go into this batch: not beside another definition of the policy for its key. */
  takes(policy: Policy, key: string): boolean {
    const groups = this.#byName.get(policy.name);
    if (groups === undefined) return true;
    for (const { policy: other, lists } of groups) {
      if (other.identity !== policy.identity && lists.has(key)) return false;
    }
    return true;
  }

  /** Adds a check of a policy that the batch takes. Throws, and adds nothing, where the name of its key does. */
  add(policy: Policy, check: PendingCheck): void {
    const group = this.#groups.get(policy.identity);
    const list = group?.lists.get(check.key);
    if (list === undefined) {
      const name = this.#nameOf(policy.name, check.key);
      const { lists, names } = group ?? this.#open(policy);
      lists.set(check.key, [check]);
      names.push(name);
    } else list.push(check);
    this.size += 1;
  }

  #open(policy: Policy): Group {
    this.deadlineMs = Math.max(this.deadlineMs, policy.deadlineMs);
    const group = { policy, lists: new Map(), names: [] };
    this.#groups.set(policy.identity, group);
    const groups = this.#byName.get(policy.name);
    if (groups === undefined) this.#byName.set(policy.name, [group]);
    else groups.push(group);
    return group;
  }

  call(nowUs: number): { keys: string[]; args: string[] } {
    return { keys: this.#keys(), args: this.#args(nowUs) };
  }

  #keys(): string[] {
    const names: string[] = [];
    for (const group of this.#groups.values()) names.push(...group.names);
    return names;
  }

  #args(nowUs: number): string[] {
    const args = [String(this.#groups.size)];
    for (const { policy, lists } of this.#groups.values()) {
      pushPolicy(args, policy, lists.size, nowUs);
      for (const list of lists.values()) {
        args.push(list.length === 1 ? costOf(list[0]!) : list.map(costOf).join(","));
      }
    }
    return args;
  }

  settle(reply: readonly number[]): void {
    const answers = this.#read(reply);
    let index = 0;
    for (const { lists } of this.#groups.values()) {
      for (const list of lists.values()) {
        for (const check of list) {
          check.answerTo.resolve(answers[index]!);
          index += 1;
        }
      }
    }
  }

  fail(error: unknown): void {
    for (const { lists } of this.#groups.values()) {
      for (const list of lists.values()) {
        for (const { answerTo } of list) answerTo.reject(error);
      }
    }
  }

  #read(given: readonly number[]): Decision[] {
    const now = given[0]!;
    const answers: Decision[] = [];
    let position = 1;
    for (const { policy, lists } of this.#groups.values()) {
      const numbers = new Float64Array(policy.width);
      for (const list of lists.values()) {
        for (const check of list) {
          const taken = given[position]! % 2 !== 0;
          position = readNumbers(policy, given, position, now, taken ? 1 : 0, numbers);
          const wait = taken ? 0 : longestWait(policy, numbers, now, check.cost);
          if (wait === 0 && !taken && check.consume) throw new Error("the script denied what fits");
          answers.push(
            createDecision(policy, check.key, check.cost, wait, taken, numbers, 0, now, "store"),
          );
        }
      }
    }
    if (position !== given.length) {
      throw new Error(`the script answered ${given.length} numbers, not ${position}`);
    }
    return answers;
  }
}

/** Reads the numbers of a key's limits out of the reply, and returns the position after them. */
function readNumbers(
  policy: Policy,
  reply: readonly number[],
  from: number,
  now: number,
  odd: number,
  numbers: Float64Array,
): number {
  let position = from;
  let offset = 0;
  for (const limit of policy.limits) {
    numbers[offset] = now + (reply[position]! - (offset === 0 ? odd : 0)) / 2;
    position += 1;
    if (!("partUs" in limit) || limit.partUs > 0) {
      for (let number = 1; number < limit.width; number += 1) {
        numbers[offset + number] = reply[position]!;
        position += 1;
      }
    }
    offset += limit.width;
  }
  return position;
}

/** The script has brought the states to `now`. */
function longestWait(policy: Policy, numbers: Float64Array, now: number, cost: number): number {
  let longest = 0;
  policy.limits.forEach((limit, index) => {
    const wait = waitFor(limit, numbers, policy.offsets[index]!, now, cost, undefined);
    if (wait > longest) longest = wait;
  });
  return longest;
}

function costOf(check: PendingCheck): string {
  return check.consume ? String(check.cost) : `?${check.cost}`;
}
