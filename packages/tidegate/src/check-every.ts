// Decides several policies and keys as one, over however many stores and Cluster slots they lie: what one group of
// them took is given back where another denies. It never admits over a limit; meanwhile others may be denied for it.

import type { Coordination } from "./coordination/coordination.ts";
import { combineDecisions, type Decision } from "./decision.ts";
import type { Outcome, Part, RecordOptions } from "./ports/store.ts";

/** A part, and who decides on it. */
export interface CoordinatedPart extends Part {
  readonly coordination: Coordination;
}

interface Group {
  readonly coordination: Coordination;
  readonly parts: readonly Part[];
}

/** Takes all parts, whose policy keys differ, or none of them. */
export async function takeEvery(
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
