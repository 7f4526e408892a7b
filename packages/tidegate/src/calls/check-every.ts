// Decides several policies and keys as one, over however many stores and Cluster slots they lie: what one group of
// them took is given back where another denies. It never admits over a limit; meanwhile others may be denied for it.

import type { Coordination } from "../coordination/coordination.ts";
import { combineDecisions, type Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { CheckRequest, Limiter } from "../limiter.ts";
import { couldAdmit } from "../policy/overrides.ts";
import {
  checkCost,
  checkId,
  checkRequests,
  MAX_ID_LENGTH,
  requestError,
} from "../policy/request.ts";
import type { Outcome, Part, RecordOptions } from "../ports/store.ts";
import {
  abortable,
  type CallContext,
  checkCheck,
  orLater,
  refuseHeld,
  told,
} from "./call-context.ts";
import type { Entry } from "./policy-entries.ts";

/** The most requests that are decided as one. */
const MAX_EVERY = 64;

/** Longer than all groups take to answer. */
const RECEIPT_US = 60_000_000;

/** A part, and who decides on it. */
interface CoordinatedPart extends Part {
  readonly coordination: Coordination;
  readonly laterMs: number | undefined;
}

/** Creates the call. */
export function createCheckEvery(context: CallContext): Pick<Limiter, "checkEvery"> {
  async function checkEvery(requests: readonly CheckRequest[], id: string | undefined) {
    checkId(id);
    // Before all of them are looked at: a list may be as long as somebody likes.
    if (Array.isArray(requests) && (requests.length < 1 || requests.length > MAX_EVERY)) {
      throw requestError("requests", `a list of 1 to ${MAX_EVERY} requests`, requests.length);
    }
    checkRequests(requests, (request) => {
      refuseHeld(checkCheck(context, request));
      if (request.id === undefined) return;
      throw requestError("id", "left out: one id, an option, is for all of them", request.id);
    });
    const { parts, rulings } = targetsOf(context, requests);
    if (rulings.some(({ allowed }) => !allowed)) return told(context, combineDecisions(rulings));
    // An id is remembered with the first of them, in whichever order they are asked for again.
    if (id !== undefined) parts.sort(inOrder);
    const record = id === undefined ? undefined : { id, ttlUs: longestIdTtl(parts) };
    const taken = parts.length === 0 ? [] : [orLaterAll(parts, await takeEvery(parts, record))];
    return told(context, combineDecisions([...taken, ...rulings]));
  }

  return {
    checkEvery: (requests, options) => {
      return abortable(options?.signal, () => checkEvery(requests, options?.id));
    },
  };
}

/** Finds what all requests are decided by; those of one policy key are one. */
function targetsOf(
  { entries, entryOf }: CallContext,
  requests: readonly CheckRequest[],
): { parts: CoordinatedPart[]; rulings: Decision[] } {
  const sums = new Map<string, { entry: Entry; key: string; cost: number }>();
  for (const { policy: name, key, cost = 1 } of requests) {
    const entry = entryOf(name);
    // A policy's name has no colon, so no two that differ are the same here.
    const own = `${entry.policy.name}:${key}`;
    sums.set(own, { entry, key, cost: (sums.get(own)?.cost ?? 0) + cost });
  }
  const parts: CoordinatedPart[] = [];
  const rulings: Decision[] = [];
  for (const { entry, key, cost } of sums.values()) {
    const target = entries.target(entry, key, cost);
    if (target.ruling !== undefined) {
      rulings.push(target.ruling);
      continue;
    }
    checkCost(cost);
    const { policy, coordination, laterMs } = target;
    parts.push({ policy, coordination, key, cost, laterMs });
  }
  return { parts, rulings };
}

/** Answers costs that limits will never admit with when others will hold for all of them that could. */
function orLaterAll(parts: readonly CoordinatedPart[], decision: Decision): Decision {
  const waits = parts.map(({ policy, cost, laterMs }) => {
    return laterMs ?? (couldAdmit(policy, cost) ? 0 : Number.POSITIVE_INFINITY);
  });
  const longest = Math.max(...waits);
  const laterMs = Number.isFinite(longest) ? longest : undefined;
  return orLater({ laterMs }, decision);
}

function longestIdTtl(parts: readonly Part[]): number {
  return Math.max(0, ...parts.map(({ policy }) => policy.idTtlUs));
}

/** Orders parts by policy and key. */
function inOrder(a: Part, b: Part): number {
  if (a.policy.name !== b.policy.name) return a.policy.name < b.policy.name ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

interface Group {
  readonly coordination: Coordination;
  readonly parts: readonly Part[];
}

/** Takes all parts, whose policy keys differ, or none of them. */
async function takeEvery(
  parts: readonly CoordinatedPart[],
  record: RecordOptions | undefined,
): Promise<Decision> {
  const groups = groupsOf(parts);
  const [first] = groups;
  if (groups.length === 1) {
    const { coordination, parts: all } = first!;
    // One part that has an id is a check, and may be settled by it.
    const receiptUs = all.length === 1 ? (record?.ttlUs ?? 0) : 0;
    return (await coordination.run({ ...takeOf(all, record), receiptUs })).decision;
  }
  const own = record === undefined ? undefined : { ...record, whole: parts };
  // A repetition that is told the record is given its receipts, be it as the record ends.
  const receiptUs = (record?.ttlUs ?? 0) + RECEIPT_US;
  const settled = await Promise.allSettled(
    groups.map(async (group) => {
      return group.coordination.run({ ...takeOf(group.parts, own), receiptUs });
    }),
  );
  const refused = settled.find(isRefused);
  const failed = refused ?? settled.find((result) => result.status === "rejected");
  const outcomes = settled.map((result) =>
    result.status === "fulfilled" ? result.value : undefined,
  );
  const denied = outcomes.some((outcome) => outcome?.decision.allowed === false);
  // Where a call failed and the caller may repeat it under its id, what was taken is what the repetition will find.
  const willRepeat = record !== undefined && refused === undefined;
  if (denied || (failed !== undefined && !willRepeat)) {
    await giveBack(groups, outcomes, record);
  }
  if (failed !== undefined) throw failed.reason;
  return combineOutcomes(outcomes as Outcome[]);
}

/** Puts the answers of groups together. What was undone denies as well, but binds only where nothing else does. */
function combineOutcomes(outcomes: readonly Outcome[]): Decision {
  const denials = outcomes.filter(({ decision, receipts }) => {
    return !decision.allowed && receipts.length > 0;
  });
  const bind = denials.length > 0 ? denials : outcomes;
  return combineDecisions(bind.map(({ decision }) => decision));
}

/** Whether a group will never be taken under this id, which is another request's: repeating it is of no use. */
function isRefused(result: PromiseSettledResult<Outcome>): result is PromiseRejectedResult {
  return (
    result.status === "rejected" &&
    result.reason instanceof TidegateError &&
    result.reason.code === "INVALID_REQUEST"
  );
}

function takeOf(parts: readonly Part[], record: RecordOptions | undefined) {
  return { kind: "take", parts, ...(record === undefined ? {} : { record }) } as const;
}

/** Gives back what the groups took that were admitted; where that fails it stays taken, which is safe. */
async function giveBack(
  groups: readonly Group[],
  outcomes: readonly (Outcome | undefined)[],
  record: RecordOptions | undefined,
): Promise<void> {
  const gifts = groups.flatMap(({ coordination, parts }, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) return [];
    return parts.map(async (part, at) => {
      const receipt = outcome.receipts[at];
      if (receipt === undefined) return;
      const own = record === undefined ? {} : undoing(record, parts[0]!, outcome.at);
      await coordination.run({ kind: "give", part, takenAt: outcome.at, receipt, ...own });
    });
  });
  await Promise.allSettled(gifts);
}

/**
 * Has what was taken under an id at an instant given back once, and the id answer a denial from then on: another group
 * may have denied where nobody remembers it, and would admit when the call is repeated.
 */
function undoing(record: RecordOptions, first: Part, takenAt: number) {
  // Too long to be a caller's id, so that it repeats no other.
  const id = `${"back".padEnd(MAX_ID_LENGTH)}${takenAt} ${record.id}`;
  return { record: { ...record, id }, undoes: { first, id: record.id } };
}

function groupsOf(parts: readonly CoordinatedPart[]): Group[] {
  const byCoordination = new Map<Coordination, Part[]>();
  for (const { coordination, policy, key, cost } of parts) {
    const own = byCoordination.get(coordination) ?? [];
    own.push({ policy, key, cost });
    byCoordination.set(coordination, own);
  }
  return [...byCoordination].flatMap(([coordination, own]) => {
    return coordination.split(own).map((group) => ({ coordination, parts: group }));
  });
}
