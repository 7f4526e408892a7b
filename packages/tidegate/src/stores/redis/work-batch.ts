// The work that goes out as one call of transact.lua: writes the call's arguments, reads its reply.

import { createHash } from "node:crypto";
import type { Limit } from "../../algorithms/dispatch.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Outcome, Part, RecordOptions } from "../../ports/store.ts";
import { askedOf, limitsOf, reusedId } from "../work-print.ts";
import type { ScriptBatch } from "./batch.ts";
import { entriesKey, escapeText, type KeyNames, pastKey, recordKey } from "./key.ts";
import { partsOf, readAnswer, type StoreWork } from "./work-answer.ts";

/** Work that waits for its outcome. */
export interface PendingWork {
  readonly work: StoreWork;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Work with the Redis keys of its parts. */
interface NamedWork extends PendingWork {
  readonly names: readonly string[];
}

/** Collects work, and settles it from the script's reply. */
export class WorkBatch implements ScriptBatch {
  readonly #nameOf: KeyNames;
  readonly #pending: NamedWork[] = [];
  #size = 0;
  deadlineMs = 0;
  /** By Redis key: the identity of the limits that it is used with. */
  readonly #identities = new Map<string, string>();

  constructor(nameOf: KeyNames) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether work on a policy key is in it. */
  has(policy: string, key: string): boolean {
    return this.#identities.has(this.#nameOf(policy, key));
  }

  /** Whether work may go into this batch: not beside other limits for one of its keys. */
  takes(work: StoreWork): boolean {
    return partsOf(work).every(({ policy, key }) => {
      const identity = this.#identities.get(this.#nameOf(policy.name, key));
      return identity === undefined || identity === policy.identity;
    });
  }

  /** Adds work that the batch takes. */
  add(pending: PendingWork): void {
    const parts = partsOf(pending.work);
    const names = parts.map(({ policy, key }) => this.#nameOf(policy.name, key));
    this.#pending.push({ ...pending, names });
    this.#size += parts.length;
    for (const [index, { policy }] of parts.entries()) {
      this.deadlineMs = Math.max(this.deadlineMs, policy.deadlineMs);
      this.#identities.set(names[index]!, policy.identity);
    }
  }

  call(nowUs: number): { keys: string[]; args: string[] } {
    const keys: string[] = [...this.#identities.keys()];
    const places = new Map(keys.map((name, index) => [name, index + 1]));
    const policies = new Map<string, number>();
    const specs: unknown[] = [];
    const declared = new Set<string>();
    const partOf = ({ policy, cost }: Part, name: string) => {
      let place = policies.get(policy.identity);
      if (place === undefined) {
        specs.push(specOf(policy, nowUs));
        place = specs.length;
        policies.set(policy.identity, place);
      }
      policy.limits.forEach((limit, index) => {
        if (hasEntries(limit)) declared.add(entriesKey(name, index));
      });
      return [place, places.get(name), cost];
    };
    const works = this.#pending.map(({ work, names }) => {
      const parts = partsOf(work).map((part, index) => partOf(part, names[index]!));
      return { work, names, parts };
    });
    for (const { work, names } of works) {
      if (needsPast(work)) for (const name of names) declared.add(pastKey(name));
    }
    keys.push(...declared);
    const list = works.map(({ work, names, parts }) => {
      const record = recordOf(work, names[0]!, keys);
      return [LETTERS[work.kind], parts, record, extraOf(work, this.#undoneBy(work, keys))];
    });
    return { keys, args: [JSON.stringify({ p: specs, w: list })] };
  }

  /** Adds the key of the record that a work undoes to the keys, and returns its place; undefined for none. */
  #undoneBy(work: StoreWork, keys: string[]): number | undefined {
    if (work.kind !== "give" || work.undoes === undefined) return undefined;
    const { first, id } = work.undoes;
    return keys.push(recordKey(this.#nameOf(first.policy.name, first.key), id));
  }

  settle(reply: readonly number[]): void {
    let position = 1;
    const answers = this.#pending.map(({ work }) => {
      const read = readAnswer(work, reply, position);
      position = read.position;
      return read.outcome;
    });
    if (position !== reply.length) {
      throw new Error(`the script answered ${reply.length} numbers, not ${position}`);
    }
    for (const [index, { work, resolve, reject }] of this.#pending.entries()) {
      const outcome = answers[index];
      if (outcome !== undefined) resolve(outcome);
      else reject(reusedId(("record" in work ? work.record?.id : undefined) ?? ""));
    }
  }

  fail(error: unknown): void {
    for (const { reject } of this.#pending) reject(error);
  }
}

const LETTERS = {
  take: "t",
  look: "l",
  give: "g",
  settle: "s",
  release: "r",
  extend: "e",
  reset: "z",
} as const;

function hashOf(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** Names the record of a work on the policy key `name`, and adds its key to the keys. */
function recordOf(work: StoreWork, name: string, keys: string[]): unknown {
  const options: Partial<RecordOptions> | undefined =
    work.kind === "settle"
      ? { id: work.id }
      : work.kind === "take" || work.kind === "give"
        ? work.record
        : undefined;
  if (options?.id === undefined) return 0;
  const parts = partsOf(work);
  keys.push(recordKey(name, options.id));
  const asked = askedOf(work.kind === "give" ? "give" : "take", parts, options.whole);
  return [
    keys.length,
    options.ttlUs ?? 0,
    // What is asked of several keys holds them; one place of letters and digits is as good.
    parts.length === 1 && options.whole === undefined ? asked : `m${hashOf(asked)}`,
    hashOf(limitsOf(parts)),
  ];
}

function extraOf(work: StoreWork, undone: number | undefined): unknown {
  if (work.kind === "take") return [escapeText(work.permit ?? ""), work.receiptUs ?? 0];
  if (work.kind === "give") {
    const { takenAt, receipt } = work;
    const at = Number.isFinite(takenAt) ? takenAt : -1;
    if (receipt === undefined) return [at];
    const { cost, units, marks } = receipt;
    return [at, cost, units, marks, ...(undone === undefined ? [] : [undone])];
  }
  return "permit" in work ? escapeText(work.permit) : "";
}

/** Whether the script looks at what is remembered of a key beside its states. */
function needsPast(work: StoreWork): boolean {
  if (work.kind === "take") return (work.receiptUs ?? 0) > 0;
  return work.kind === "settle" || work.kind === "give" || work.kind === "reset";
}

function hasEntries({ algorithm }: Limit): boolean {
  return algorithm === "sliding-log" || algorithm === "concurrency";
}

function specOf(policy: Policy, nowUs: number): unknown[] {
  const limits = policy.limits.map((limit) => {
    const head = [KINDS[limit.algorithm], limit.limit, limit.soft ? 1 : 0];
    switch (limit.algorithm) {
      case "token-bucket":
        return [...head, limit.periodUs, limit.units, 0];
      case "leaky-bucket":
        return [...head, limit.periodUs, limit.units, 1];
      case "calendar-window":
        return [...head, ...limit.calendar.boundariesAround(nowUs)];
      default:
        return [...head, limit.windowUs];
    }
  });
  return [policy.rules, policy.shadow ? 1 : 0, limits];
}

const KINDS = {
  "token-bucket": "tb",
  "leaky-bucket": "tb",
  "fixed-window": "fw",
  "calendar-window": "cw",
  "sliding-window": "sw",
  "sliding-log": "sl",
  concurrency: "cc",
} as const;
