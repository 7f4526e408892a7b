// check, checkAll and peek: the path of most decisions.

import type { Decision } from "../decision.ts";
import type { CheckRequest, Limiter } from "../limiter.ts";
import { checkCost, checkId, checkKey, checkRequest, checkRequests } from "../policy/request.ts";
import { type CallContext, checkCheck, orLater, refuseHeld, told } from "./call-context.ts";
import type { Deciders, Entry } from "./policy-entries.ts";
import { untilAborted } from "./until-aborted.ts";

/** The plain calls. */
export type Checks = Pick<Limiter, "check" | "checkAll" | "peek">;

/** Creates them. */
export function createChecks(context: CallContext): Checks {
  const { entries, entryOf, decided } = context;
  // Applications ask for one policy many times in a row; comparing a name is cheaper than hashing it.
  let lastName: string | undefined;
  let lastEntry: Entry | undefined;
  let lastGeneration = -1;

  function find(name: string | undefined): Entry {
    const entry = entryOf(name);
    lastName = name;
    lastEntry = entry;
    lastGeneration = entries.generation;
    return entry;
  }

  function decide(request: CheckRequest, consume: boolean): Decision | Promise<Decision> {
    checkRequest(request);
    const name = request.policy;
    const entry =
      name === lastName && lastGeneration === entries.generation ? lastEntry! : find(name);
    const cost = request.cost === undefined ? 1 : request.cost;
    checkKey(request.key);
    checkCost(cost);
    const { id } = request;
    if (entry.direct && id === undefined) {
      return entry.coordination.decide(entry.policy, request.key, cost, consume);
    }
    checkId(id);
    return decideWhole(context, entry, request, consume);
  }

  return {
    check(request, options) {
      try {
        options?.signal?.throwIfAborted();
        const answer = decide(request, true);
        if (!isPromise(answer)) {
          if (decided !== undefined) decided(answer);
          return Promise.resolve(answer);
        }
        const decision = decided === undefined ? answer : answer.then((one) => told(context, one));
        return untilAborted(decision, options?.signal);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async checkAll(requests, options) {
      options?.signal?.throwIfAborted();
      checkRequests(requests, (request) => refuseHeld(checkCheck(context, request)));
      const answers = requests.map((request) => orRejected(() => decide(request, true)));
      if (areDecisions(answers)) {
        if (decided !== undefined) for (const decision of answers) decided(decision);
        return answers;
      }
      // Told one by one, so that those are told that were decided before another failed or the caller went away.
      const decisions = answers.map(async (answer) => told(context, await answer));
      return untilAborted(Promise.all(decisions), options?.signal);
    },
    async peek(request, options) {
      options?.signal?.throwIfAborted();
      return untilAborted(Promise.resolve(decide(request, false)), options?.signal);
    },
  };
}

/** Decides where overrides, permits or an id are in play. */
export function decideWhole(
  context: CallContext,
  entry: Entry,
  request: CheckRequest,
  consume: boolean,
): Decision | Promise<Decision> {
  if (consume) refuseHeld(entry);
  const { key, cost = 1 } = request;
  const target = context.entries.target(entry, key, cost);
  if (target.ruling !== undefined) return target.ruling;
  const answer = decideBy(target, request, consume);
  if (target.laterMs === undefined) return answer;
  return isPromise(answer)
    ? answer.then((decision) => orLater(target, decision))
    : orLater(target, answer);
}

function decideBy(
  { policy, coordination }: Deciders,
  { id, key, cost = 1 }: CheckRequest,
  consume: boolean,
): Decision | Promise<Decision> {
  if (id === undefined || !consume) return coordination.decide(policy, key, cost, consume);
  const parts = [{ policy, key, cost }];
  const record = { id, ttlUs: policy.idTtlUs };
  // A check that has an id may be settled by it.
  const outcome = coordination.run({ kind: "take", parts, record, receiptUs: record.ttlUs });
  return "then" in outcome ? outcome.then(({ decision }) => decision) : outcome.decision;
}

/** Rejects what memory refuses at once, as a shared store would: it keeps those behind it in a batch from nothing. */
function orRejected(decide: () => Decision | Promise<Decision>): Decision | Promise<Decision> {
  try {
    return decide();
  } catch (error) {
    return Promise.reject(error);
  }
}

function areDecisions(answers: (Decision | Promise<Decision>)[]): answers is Decision[] {
  return !answers.some(isPromise);
}

/** As `instanceof Promise` for what a store answers; that takes a fifth of the time of a check in memory. */
function isPromise(answer: Decision | Promise<Decision>): answer is Promise<Decision> {
  return "then" in answer;
}
