// The leases that are asked for with one call of lease.lua: writes the call's arguments, reads its reply.

import { createHash } from "node:crypto";
import { waitFor } from "../../algorithms/dispatch.ts";
import { leftOf, windowLeft } from "../../algorithms/lease.ts";
import { createDecision } from "../../decision.ts";
import { MAX_LIMITS, type Policy } from "../../policy/policy.ts";
import type { AnswerTo, LeaseAsk, LeaseWork, Outcome, Part } from "../../ports/store.ts";
import type { ScriptBatch } from "./batch.ts";
import { type KeyNames, pastKey } from "./key.ts";
import { pushPolicy } from "./plain-policy.ts";

/** One question that waits for its answer. */
export interface PendingLease {
  readonly work: LeaseWork;
  readonly answerTo: AnswerTo<Outcome>;
}

/** Questions about keys of one policy that have something else in common as well. */
interface Group {
  readonly policy: Policy;
  readonly spare: number;
  readonly keepUs: number;
  readonly names: string[];
  readonly pending: PendingLease[];
}

/** Collects the questions of one node, each about another key. */
export class LeaseBatch implements ScriptBatch {
  size = 0;
  deadlineMs = 0;
  readonly #nameOf: KeyNames;
  readonly #node: string;
  readonly #groups: Group[] = [];
  readonly #names = new Set<string>();

  constructor(nameOf: KeyNames, node: string) {
    this.#nameOf = nameOf;
    this.#node = node;
  }

  /** Whether a question about a policy key is in it. */
  has(policy: string, key: string): boolean {
    return this.#names.has(this.#nameOf(policy, key));
  }

  /** Whether a question may go into this batch. */
  takes({ part, ask }: LeaseWork): boolean {
    return ask.node === this.#node && !this.has(part.policy.name, part.key);
  }

  /** Adds a question that the batch takes. */
  add(pending: PendingLease): void {
    const { part, ask } = pending.work;
    const name = this.#nameOf(part.policy.name, part.key);
    const group = this.#groupOf(part.policy, ask);
    group.names.push(name);
    group.pending.push(pending);
    this.#names.add(name);
    this.size += 1;
  }

  #groupOf(policy: Policy, { spare, keepUs }: LeaseAsk): Group {
    for (const group of this.#groups) {
      const isSame = group.policy === policy || group.policy.identity === policy.identity;
      if (isSame && group.spare === spare && group.keepUs === keepUs) return group;
    }
    const group = { policy, spare, keepUs, names: [], pending: [] };
    this.#groups.push(group);
    this.deadlineMs = Math.max(this.deadlineMs, policy.deadlineMs);
    return group;
  }

  call(nowUs: number): { keys: string[]; args: string[] } {
    const keys: string[] = [];
    const args = [lettersOf(this.#node), String(this.#groups.length)];
    for (const { policy, spare, keepUs, names, pending } of this.#groups) {
      pushPolicy(args, policy, names.length, nowUs);
      args.push(String(spare), String(keepUs));
      for (const name of names) keys.push(name, pastKey(name));
      for (const { work } of pending) args.push(textOf(work));
    }
    return { keys, args };
  }

  settle(reply: readonly number[]): void {
    const reader = new Reader(reply);
    const outcomes: Outcome[] = [];
    for (const { policy, pending } of this.#groups) {
      for (const { work } of pending) outcomes.push(reader.read(policy, work.part));
    }
    reader.end();
    let index = 0;
    for (const { pending } of this.#groups) {
      for (const { answerTo } of pending) {
        answerTo.resolve(outcomes[index]!);
        index += 1;
      }
    }
  }

  fail(error: unknown): void {
    for (const { pending } of this.#groups) {
      for (const { answerTo } of pending) answerTo.reject(error);
    }
  }
}

/** By limit, how long a cost has to wait: for as long as a key is read. */
const WAITS = new Float64Array(MAX_LIMITS);

/** Reads what lease.lua returns. */
class Reader {
  readonly #reply: readonly number[];
  readonly #now: number;
  #position = 1;

  constructor(reply: readonly number[]) {
    this.#reply = reply;
    this.#now = reply[0]!;
  }

  /** Reads what was granted of a key. */
  read(policy: Policy, { key, cost }: Part): Outcome {
    const now = this.#now;
    const { limits, offsets } = policy;
    const head = this.#next();
    const units = Math.floor(head / 2);
    const numbers = new Float64Array(policy.width);
    let wait = 0;
    for (let index = 0; index < limits.length; index += 1) {
      const limit = limits[index]!;
      const offset = offsets[index]!;
      numbers[offset] = now + this.#next();
      for (let n = 1; n < limit.width; n += 1) numbers[offset + n] = this.#next();
      WAITS[index] = waitFor(limit, numbers, offset, now, cost, undefined);
      wait = Math.max(wait, WAITS[index]!);
    }
    const marks = limits.map((_limit, index) => numbers[offsets[index]!]!);
    if (head % 2 !== 0) {
      for (let index = 0; index < marks.length; index += 1) marks[index]! += this.#next();
    }
    const receipt = units > 0 ? { cost: units, units: limits.map(() => units), marks } : undefined;
    const state = { numbers, at: 0, entries: undefined };
    return {
      decision: createDecision(policy, key, cost, wait, false, numbers, 0, now, "store", WAITS),
      done: units > 0,
      receipts: [receipt],
      at: now,
      lease: {
        units,
        windowLeftUs: windowLeft(limits, state, now),
        debt: Math.max(-leftOf(limits, state, now), 0),
        numbers,
      },
    };
  }

  /** Throws where there is more or less than was read. */
  end(): void {
    const { length } = this.#reply;
    if (this.#position === length) return;
    throw new Error(`the script answered ${length} numbers, not ${this.#position}`);
  }

  #next(): number {
    const number = this.#reply[this.#position]!;
    this.#position += 1;
    return number;
  }
}

/** What is asked about a key. */
function textOf({ part, ask }: LeaseWork): string {
  const { want, most = -1, owed, backs } = ask;
  const text = `${want},${part.cost},${most}`;
  if (owed === 0 && backs.length === 0) return text;
  const lists = backs.map(({ units, takenAt, receipt }) => [units, takenAt, ...receipt.marks]);
  return [text, owed, ...lists].join(";");
}

const letters = new Map<string, string>();
/** Nodes of one process. */
const MAX_KNOWN = 1_000;

/** Returns eight letters that stand for a node's name. */
function lettersOf(node: string): string {
  let known = letters.get(node);
  if (known === undefined) {
    if (letters.size >= MAX_KNOWN) letters.clear();
    known = createHash("sha1").update(node).digest("base64").slice(0, 8);
    letters.set(node, known);
  }
  return known;
}
