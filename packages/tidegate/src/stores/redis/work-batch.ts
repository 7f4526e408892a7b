// The work that goes out as one call of transact.lua: writes the call's arguments, reads its reply.

import { createHash } from "node:crypto";
import type { Limit } from "../../algorithms/dispatch.ts";
import type { Receipt } from "../../algorithms/key-state.ts";
import { combineDecisions, createDecision, type Decision } from "../../decision.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Outcome, Part, RecordOptions, Work } from "../../ports/store.ts";
import { askedOf, limitsOf, reusedId } from "../work-print.ts";
import type { ScriptBatch } from "./batch.ts";
import { demandKey, entriesKey, escapeText, type KeyNames, pastKey, recordKey } from "./key.ts";

/** Work, or a look, for limits that have no shorter way. */
export type StoreWork = Work | { readonly kind: "look" | "reset"; readonly part: Part };

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

/** The parts of any work. */
export function partsOf(work: StoreWork): readonly Part[] {
  return work.kind === "take" ? work.parts : [work.part];
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
      if (work.kind === "lease") declared.add(demandKey(names[0]!));
    }
    keys.push(...declared);
    const list = works.map(({ work, names, parts }) => {
      return [LETTERS[work.kind], parts, recordOf(work, names[0]!, keys), extraOf(work)];
    });
    return { keys, args: [JSON.stringify({ p: specs, w: list })] };
  }

  settle(reply: readonly number[]): void {
    let position = 1;
    const answers = this.#pending.map(({ work }) => {
      const status = reply[position]!;
      const at = reply[position + 1]!;
      position += 2;
      if (status === REUSED_ID) return undefined;
      const read = readParts(work, status, reply, position, at);
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

// What the script answers as a status beside 0 and 1.
const REUSED_ID = 2;
const DENIED_BEFORE = 3;
const ADMITTED_BEFORE = 4;
const HELD_ALREADY = 5;
const LEASED = 6;

/** What is asked about a cost; of all else the decision says how the key stands. */
const ASKS = new Set(["take", "look", "lease"]);

const LETTERS = {
  take: "t",
  look: "l",
  give: "g",
  settle: "s",
  release: "r",
  extend: "e",
  lease: "b",
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

function extraOf(work: StoreWork): unknown {
  if (work.kind === "take") return [escapeText(work.permit ?? ""), work.receiptUs ?? 0];
  if (work.kind === "give") {
    const { takenAt, receipt } = work;
    const at = Number.isFinite(takenAt) ? takenAt : -1;
    return receipt === undefined ? [at] : [at, receipt.cost, receipt.units, receipt.marks];
  }
  if (work.kind === "lease") {
    const { node, want, spare, keepUs, owed, backs } = work.ask;
    const lists = backs.map(({ units, takenAt, receipt }) => {
      return [units, takenAt, receipt.cost, receipt.units, receipt.marks];
    });
    return [node, want, spare, keepUs, owed, lists];
  }
  return "permit" in work ? escapeText(work.permit) : "";
}

/** Whether the script looks at what is remembered of a key beside its states. */
function needsPast(work: StoreWork): boolean {
  if (work.kind === "take") return (work.receiptUs ?? 0) > 0;
  if (work.kind === "lease") return true;
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

/** Reads what the script says of a work's parts. */
function readParts(
  work: StoreWork,
  status: number,
  reply: readonly number[],
  from: number,
  at: number,
): { outcome: Outcome; position: number } {
  let position = from;
  const now = status === DENIED_BEFORE || status === ADMITTED_BEFORE ? reply[0]! : at;
  const receipts: (Receipt | undefined)[] = [];
  const waits: number[] = [];
  const asks = ASKS.has(work.kind) && status !== HELD_ALREADY;
  const decisions = partsOf(work).map((part): Decision => {
    const { policy, key } = part;
    const cost = asks ? part.cost : 0;
    const numbers = new Float64Array(policy.width);
    const own = new Float64Array(policy.limits.length);
    const taken = reply[position] === 1;
    const receipt = { cost: part.cost, units: [] as number[], marks: [] as number[] };
    receipts.push(taken ? receipt : undefined);
    position += 1;
    let wait = 0;
    policy.limits.forEach((limit, index) => {
      const offset = policy.offsets[index]!;
      for (let number = 0; number < limit.width; number += 1) {
        numbers[offset + number] = reply[position + number]!;
      }
      const answered = reply[position + limit.width]!;
      own[index] = answered < 0 ? Number.POSITIVE_INFINITY : answered;
      if (!limit.soft) wait = Math.max(wait, own[index]!);
      receipt.units.push(reply[position + limit.width + 1]!);
      receipt.marks.push(reply[position + limit.width + 2]!);
      position += limit.width + 3;
    });
    // An answer that is told again stays what it was, whatever the limits of now say.
    if (status === DENIED_BEFORE) wait = Math.max(wait, 1);
    if (status === ADMITTED_BEFORE) wait = 0;
    waits.push(wait);
    return createDecision(policy, key, cost, wait, taken, numbers, 0, now, "store", own);
  });
  const decision = combineDecisions(decisions, waits);
  if (work.kind === "take" && status < 2) {
    const done = receipts.every((receipt) => receipt !== undefined);
    return { outcome: { decision, done, receipts, at }, position };
  }
  if (status === HELD_ALREADY) {
    const held = { units: reply[position]!, leftUs: reply[position + 1]! };
    return { outcome: { decision, done: true, receipts: [], at, held }, position: position + 2 };
  }
  if (status === LEASED) {
    const [units, left, debt] = reply.slice(position, position + 3) as [number, number, number];
    const windowLeftUs = left < 0 ? Number.POSITIVE_INFINITY : left;
    const outcome = {
      decision,
      done: units > 0,
      receipts,
      at,
      lease: { units, windowLeftUs, debt },
    };
    const [receipt] = receipts;
    if (receipt !== undefined) receipts[0] = { ...receipt, cost: units };
    return { outcome, position: position + 3 };
  }
  const done = status === 1 || status === ADMITTED_BEFORE;
  return { outcome: { decision, done, receipts: [], at }, position };
}
