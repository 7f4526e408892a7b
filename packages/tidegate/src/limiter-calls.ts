// The calls of a limiter that are more than a check: several keys as one, reservations, refunds, permits, turns.

import { type CoordinatedPart, takeEvery } from "./check-every.ts";
import type { Decision } from "./decision.ts";
import { TidegateError } from "./errors.ts";
import type { CheckRequest, Held, Limiter, Permit, ReserveRequest } from "./limiter.ts";
import { show } from "./policy/options.ts";
import { recordUs } from "./policy/policy.ts";
import {
  checkCost,
  checkId,
  checkKey,
  checkRequest,
  checkRequests,
  requestError,
} from "./policy/request.ts";
import type { Entry, PolicyEntries, Target } from "./policy-entries.ts";
import type { Outcome, RecordOptions } from "./ports/store.ts";
import type { Timer } from "./ports/timer.ts";
import { createSystemId } from "./runtime/system-ids.ts";
import { Turns } from "./schedule.ts";
import { untilAborted } from "./until-aborted.ts";
import { withPermit } from "./with-permit.ts";

/** The most requests that are decided as one. */
export const MAX_EVERY = 64;

const DEFAULT_RESERVATION_MS = 60_000;

/** What the calls are made of. */
interface CallsOptions {
  readonly entries: PolicyEntries;
  /** Finds a policy's entry, where the limiter is open. */
  readonly entryOf: (policy: string | undefined) => Entry;
  /** Checks a whole request. */
  readonly checkCheck: (request: CheckRequest) => Entry;
  /** Tells the telemetry. */
  readonly told: (decision: Decision) => Decision;
  readonly timer: Timer;
}

type Methods = Pick<
  Limiter,
  | "checkEvery"
  | "schedule"
  | "reserve"
  | "settle"
  | "refund"
  | "acquire"
  | "release"
  | "extend"
  | "withPermit"
  | "reset"
>;

/** The calls, and what the plain ones need of them. */
export interface LimiterCalls {
  readonly methods: Methods;
  /** Decides where overrides, permits or an id are in play. */
  decide(entry: Entry, request: CheckRequest, consume: boolean): Decision | Promise<Decision>;
  /** Throws where the policy is one that is acquired. */
  refuseHeld(entry: Entry): void;
}

/** Creates the calls. */
export function createLimiterCalls(options: CallsOptions): LimiterCalls {
  const { entries, entryOf, checkCheck, told } = options;
  const turns = new Turns(options.timer);

  async function take(
    target: Exclude<Target, { ruling: Decision }>,
    request: CheckRequest,
    extra: { readonly record?: RecordOptions; readonly permit?: string },
  ): Promise<Outcome> {
    const { policy, coordination } = target;
    const part = { policy, key: request.key, cost: request.cost ?? 1 };
    return coordination.run({ kind: "take", parts: [part], ...extra });
  }

  function decide(
    entry: Entry,
    request: CheckRequest,
    consume: boolean,
  ): Decision | Promise<Decision> {
    if (consume) refuseHeld(entry);
    const target = entries.target(entry, request.key);
    if (target.ruling !== undefined) return target.ruling;
    const { policy, coordination } = target;
    const { id, key, cost = 1 } = request;
    if (id === undefined || !consume) return coordination.decide(policy, key, cost, consume);
    return take(target, request, { record: { id, ttlUs: policy.idTtlUs } }).then(decisionOf);
  }

  async function reserve(request: ReserveRequest) {
    const entry = checkCheck(request);
    refuseHeld(entry);
    const ttlUs = recordUs("ttl", request.ttl, DEFAULT_RESERVATION_MS);
    const { id = createSystemId(), cost = 1 } = request;
    const target = entries.target(entry, request.key);
    const decision =
      target.ruling ?? decisionOf(await take(target, request, { record: { id, ttlUs } }));
    return { ...told(decision), id, cost, ttlMs: ttlUs / 1_000 };
  }

  async function acquire(request: CheckRequest): Promise<Permit> {
    const entry = checkCheck(request);
    const { id = createSystemId(), cost = 1 } = request;
    if (!entry.policy.holds) throw noPermits(entry);
    if (cost === 0) throw requestError("cost", "at least 1 for a permit", cost);
    const target = entries.target(entry, request.key);
    if (target.ruling !== undefined) return { ...told(target.ruling), id, cost, leaseMs: 0 };
    const decision = decisionOf(await take(target, request, { permit: id }));
    return { ...told(decision), id, cost, leaseMs: leaseOf(target.policy.limits) };
  }

  async function change(kind: "release" | "extend", permit: Held): Promise<boolean> {
    const { entry, target } = findHeld(permit);
    if (!entry.policy.holds) throw noPermits(entry);
    // A key without a limit holds what it likes, and one that is blocked nothing.
    if (target.ruling !== undefined) return target.ruling.allowed;
    const { policy, coordination } = target;
    const part = { policy, key: permit.key, cost: 0 };
    return (await coordination.run({ kind, part, permit: permit.id })).done;
  }

  function findHeld(held: Held): { entry: Entry; target: Target } {
    checkRequest(held);
    const entry = entryOf(held.policy);
    checkKey(held.key);
    if (held.id === undefined) throw requestError("id", "the id that was answered", held.id);
    checkId(held.id);
    return { entry, target: entries.target(entry, held.key) };
  }

  async function settle(reservation: Held, actual: number) {
    const { entry, target } = findHeld(reservation);
    checkActual(actual);
    refuseHeld(entry);
    if (target.ruling !== undefined) return { ...target.ruling, settled: target.ruling.allowed };
    const { policy, coordination } = target;
    const part = { policy, key: reservation.key, cost: actual };
    const outcome = await coordination.run({ kind: "settle", part, id: reservation.id });
    return { ...outcome.decision, settled: outcome.done };
  }

  async function refund(request: CheckRequest): Promise<Decision> {
    const entry = checkCheck(request);
    refuseHeld(entry);
    const target = entries.target(entry, request.key);
    if (target.ruling !== undefined) return target.ruling;
    const { policy, coordination } = target;
    const { key, cost = 1, id } = request;
    const outcome = await coordination.run({
      kind: "give",
      part: { policy, key, cost },
      takenAt: Number.POSITIVE_INFINITY,
      ...(id === undefined ? {} : { record: { id, ttlUs: policy.idTtlUs } }),
    });
    return outcome.decision;
  }

  async function checkEvery(requests: readonly CheckRequest[], id: string | undefined) {
    checkId(id);
    checkRequests(requests, (request) => refuseHeld(checkCheck(request)));
    if (requests.length < 1 || requests.length > MAX_EVERY) {
      throw requestError("requests", `1 to ${MAX_EVERY} requests`, requests.length);
    }
    const { parts, rulings } = targetsOf(requests, entries, entryOf);
    const blocked = rulings.find(({ allowed }) => !allowed);
    if (blocked !== undefined) return told(blocked);
    if (parts.length === 0) return told(rulings[0]!);
    const record = id === undefined ? undefined : { id, ttlUs: parts[0]!.policy.idTtlUs };
    return told(await takeEvery(parts, record));
  }

  async function reset(request: { readonly policy?: string; readonly key: string }) {
    checkRequest(request);
    const entry = entryOf(request.policy);
    checkKey(request.key);
    await entry.coordination.reset(entry.policy, request.key);
  }

  const methods: Methods = {
    checkEvery: (requests, call) => {
      return abortable(call?.signal, () => checkEvery(requests, call?.id));
    },
    async schedule(request, call) {
      const decision = await abortable(call?.signal, async () => {
        return told(await decide(checkCheck(request), request, true));
      });
      return turns.wait(decision, call?.signal);
    },
    reserve: (request, call) => abortable(call?.signal, () => reserve(request)),
    settle: (held, actual, call) => abortable(call?.signal, () => settle(held, actual)),
    refund: (request, call) => abortable(call?.signal, () => refund(request)),
    acquire: (request, call) => abortable(call?.signal, () => acquire(request)),
    release: (permit, call) => abortable(call?.signal, () => change("release", permit)),
    extend: (permit, call) => abortable(call?.signal, () => change("extend", permit)),
    withPermit: (request, work, call) => withPermit(methods, options.timer, request, work, call),
    reset,
  };
  return { methods, decide, refuseHeld };
}

/** Runs a call unless it is aborted before, and stops waiting for it where it is aborted meanwhile. */
async function abortable<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  return untilAborted(call(), signal);
}

function decisionOf({ decision }: Outcome): Decision {
  return decision;
}

/** Finds what all requests are decided by; those of one policy key are one. */
function targetsOf(
  requests: readonly CheckRequest[],
  entries: PolicyEntries,
  entryOf: (policy: string | undefined) => Entry,
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
    const own = `${policy.name}:${key}`;
    const sum = (parts.get(own)?.cost ?? 0) + cost;
    checkCost(sum);
    parts.set(own, { policy, coordination, key, cost: sum });
  }
  return { parts: [...parts.values()], rulings };
}

function leaseOf(limits: Entry["policy"]["limits"]): number {
  const leases = limits.filter(({ algorithm }) => algorithm === "concurrency");
  return Math.min(...leases.map(({ windowUs }) => windowUs)) / 1_000;
}

function checkActual(actual: unknown): void {
  try {
    checkCost(actual);
  } catch {
    throw requestError("actual", "a whole number of units, as a cost is", actual);
  }
}

function refuseHeld({ policy }: Entry): void {
  if (!policy.holds) return;
  throw new TidegateError(
    "INVALID_REQUEST",
    `policy must be one without a concurrency limit, got ${show(policy.name)}: acquire() a permit of it, ` +
      "and release() that afterwards",
    { field: "policy" },
  );
}

function noPermits({ policy }: Entry): TidegateError {
  return new TidegateError(
    "INVALID_REQUEST",
    `policy must be one with a concurrency limit, got ${show(policy.name)}: check() it`,
    { field: "policy" },
  );
}
