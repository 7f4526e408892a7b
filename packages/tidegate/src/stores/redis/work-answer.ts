// Reads what transact.lua, whose header says what it returns, answers to a work.

import type { Receipt } from "../../algorithms/key-state.ts";
import { combineDecisions, createDecision, type Decision } from "../../decision.ts";
import type { LeaseWork, Outcome, Part, Work } from "../../ports/store.ts";

/** Work, or a look, for limits that have no shorter way. */
export type StoreWork =
  | Exclude<Work, LeaseWork>
  | { readonly kind: "look" | "reset"; readonly part: Part };

/** The parts of any work. */
export function partsOf(work: StoreWork | LeaseWork): readonly Part[] {
  return work.kind === "take" ? work.parts : [work.part];
}

// What the script answers as a status beside 0 and 1.
const REUSED_ID = 2;
const DENIED_BEFORE = 3;
const ADMITTED_BEFORE = 4;
const HELD_ALREADY = 5;

/** What is asked about a cost; of all else the decision says how the key stands. */
const ASKS = new Set(["take", "look"]);

/** What the script says of one part. */
interface PartAnswer {
  readonly decision: Decision;
  readonly wait: number;
  readonly receipt: Receipt | undefined;
  /** How many numbers it was. */
  readonly length: number;
}

/**
 * Reads the answer to a work that begins at a place of the reply, and where the next begins. The outcome is undefined
 * where the work's id stands for something else.
 */
export function readAnswer(
  work: StoreWork,
  reply: readonly number[],
  from: number,
): { outcome: Outcome | undefined; position: number } {
  const status = reply[from]!;
  const at = reply[from + 1]!;
  let position = from + 2;
  if (status === REUSED_ID) return { outcome: undefined, position };
  const isTold = status === DENIED_BEFORE || status === ADMITTED_BEFORE;
  const isAsked = ASKS.has(work.kind) && status !== HELD_ALREADY;
  const parts = partsOf(work).map((part) => {
    const asked = isAsked ? part : { ...part, cost: 0 };
    const answer = readPart(asked, status, reply, position, isTold ? reply[0]! : at);
    position += answer.length;
    return answer;
  });
  const decision = combineDecisions(
    parts.map((part) => part.decision),
    parts.map(({ wait }) => wait),
  );
  if (status === HELD_ALREADY) {
    const held = { units: reply[position]!, leftUs: reply[position + 1]! };
    return { outcome: { decision, done: true, receipts: [], at, held }, position: position + 2 };
  }
  if (work.kind === "take" && !isTold) {
    const receipts = parts.map(({ receipt }) => receipt);
    const done = receipts.every((receipt) => receipt !== undefined);
    return { outcome: { decision, done, receipts, at }, position };
  }
  const done = status === 1 || status === ADMITTED_BEFORE;
  return { outcome: { decision, done, receipts: [], at }, position };
}

function readPart(
  { policy, key, cost }: Part,
  status: number,
  reply: readonly number[],
  from: number,
  now: number,
): PartAnswer {
  const numbers = new Float64Array(policy.width);
  const waits = new Float64Array(policy.limits.length);
  const taken = reply[from] === 1;
  const receipt = { cost, units: [] as number[], marks: [] as number[] };
  let position = from + 1;
  let wait = 0;
  policy.limits.forEach((limit, index) => {
    const offset = policy.offsets[index]!;
    for (let number = 0; number < limit.width; number += 1) {
      numbers[offset + number] = reply[position + number]!;
    }
    position += limit.width;
    const answered = reply[position]!;
    waits[index] = answered < 0 ? Number.POSITIVE_INFINITY : answered;
    if (!limit.soft) wait = Math.max(wait, waits[index]!);
    receipt.units.push(reply[position + 1]!);
    receipt.marks.push(reply[position + 2]!);
    position += 3;
  });
  // An answer that is told again stays what it was, whatever the limits of now say.
  if (status === DENIED_BEFORE) wait = Math.max(wait, 1);
  if (status === ADMITTED_BEFORE) wait = 0;
  const decision = createDecision(policy, key, cost, wait, taken, numbers, 0, now, "store", waits);
  return {
    decision,
    wait,
    receipt: taken ? receipt : undefined,
    length: position - from,
  };
}
