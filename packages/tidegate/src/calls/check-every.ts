// Decides several policies and keys as one, over however many stores and Cluster slots they lie: what one group of
// them took is given back where another denies. It never admits over a limit; meanwhile others may be denied for it.

import type { Coordination } from "../coordination/coordination.ts";
import { combineDecisions, type Decision } from "../decision.ts";
import type { CheckRequest, Limiter } from "../limiter.ts";
import { checkCost, checkId, checkRequests, requestError } from "../policy/request.ts";
import type { Outcome, Part, RecordOptions } from "../ports/store.ts";
import { abortable, type CallContext, checkCheck, refuseHeld, told } from "./call-context.ts";

/** The most requests that are decided as one. */
const MAX_EVERY = 64;

/** A part, and who decides on it. */
interface CoordinatedPart extends Part {
  readonly coordination: Coordination;
}

/** Creates the call. */
export function createCheckEvery(context: CallContext): Pick<Limiter, "checkEvery"> {
  async function checkEvery(requests: readonly CheckRequest[], id: string | undefined) {
    checkId(id);
    checkRequests(requests, (request) => refuseHeld(checkCheck(context, request)));
    if (requests.length < 1 || requests.length > MAX_EVERY) {
      throw requestError("requests", `a list of 1 to ${MAX_EVERY} requests`, requests.length);
    }
    const { parts, rulings } = targetsOf(context, requests);
    const blocked = rulings.find(({ allowed }) => !allowed);
    if (blocked !== undefined) return told(context, blocked);
    if (parts.length === 0) return told(context, rulings[0]!);
    const record = id === undefined ? undefined : { id, ttlUs: parts[0]!.policy.idTtlUs };
    return told(context, await takeEvery(parts, record));
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
  const parts = new Map<string, CoordinatedPart>();
  const rulings: Decision[] = [];
  for (const { policy: name, key, cost = 1 } of requests) {
    const target = entries.target(entryOf(name), key);
    if (target.ruling !== undefined) {
      rulings.push(target.ruling);
      continue;
    }
    const { policy, coordination } = target;
    // A policy's name has no colon, so no two that differ are the same here.
    const own = `${policy.name}:${key}`;
    const sum = (parts.get(own)?.cost ?? 0) + cost;
    checkCost(sum);
    parts.set(own, { policy, coordination, key, cost: sum });
  }
  return { parts: [...parts.values()], rulings };
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
    return (await coordination.run(takeOf(all, record))).decision;
  }
  const settled = await Promise.allSettled(
    groups.map(async ({ coordination, parts: own }) => coordination.run(takeOf(own, record))),
  );
  const failed = settled.find((result) => result.status === "rejected");
  const outcomes = settled.map((result) =>
    result.status === "fulfilled" ? result.value : undefined,
  );
  const denied = outcomes.some((outcome) => outcome?.decision.allowed === false);
  // Where a call failed and the caller may repeat it under its id, what was taken is what the repetition will find.
  if (denied || (failed !== undefined && record === undefined)) {
    await giveBack(groups, outcomes, record);
  }
  if (failed !== undefined) throw failed.reason;
  const decisions = outcomes.map((outcome) => outcome!.decision);
  return combineDecisions(
    decisions,
    decisions.map(({ retryAfterMs }) => retryAfterMs ?? Number.POSITIVE_INFINITY),
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
    const taken = parts.filter((_part, at) => outcome.taken[at] === true);
    return taken.map(async (part) => {
      // No id of a caller ends so, and so the gift of one is repeated by nobody else.
      const own = record === undefined ? {} : { record: { ...record, id: `${record.id}\0back` } };
      await coordination.run({ kind: "give", part, takenAt: outcome.at, ...own });
    });
  });
  await Promise.allSettled(gifts);
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
