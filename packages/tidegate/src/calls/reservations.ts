// reserve, settle and refund: units whose true number is known later only, or that are not wanted after all.

import type { Limiter, ReserveRequest } from "../limiter.ts";
import { recordUs } from "../policy/policy.ts";
import { checkCost, requestError } from "../policy/request.ts";
import { createSystemId } from "../runtime/system-ids.ts";
import {
  abortable,
  type CallContext,
  checkCheck,
  checkHeld,
  orLater,
  refuseHeld,
  told,
} from "./call-context.ts";

const DEFAULT_TTL_MS = 60_000;

/** Creates the calls. */
export function createReservations(
  context: CallContext,
): Pick<Limiter, "reserve" | "settle" | "refund"> {
  async function reserve(request: ReserveRequest) {
    const entry = checkCheck(context, request);
    refuseHeld(entry);
    const ttlUs = readTtl(request.ttl);
    const { key, id = createSystemId(), cost = 1 } = request;
    const target = context.entries.target(entry, key, cost);
    const answer = { id, cost, ttlMs: ttlUs / 1_000 };
    if (target.ruling !== undefined) return { ...told(context, target.ruling), ...answer };
    const { policy, coordination } = target;
    const parts = [{ policy, key, cost }];
    const record = { id, ttlUs, fresh: request.id === undefined };
    const { decision } = await coordination.run({ kind: "take", parts, record, receiptUs: ttlUs });
    return { ...told(context, orLater(target, decision)), ...answer };
  }

  return {
    reserve: (request, options) => abortable(options?.signal, () => reserve(request)),
    settle: (reservation, actual, options) =>
      abortable(options?.signal, async () => {
        const { entry, target } = checkHeld(context, reservation);
        checkActual(actual);
        refuseHeld(entry);
        // A key without a limit may take what it likes, and one that is blocked has reserved nothing.
        if (target.ruling !== undefined) {
          return { ...target.ruling, settled: target.ruling.allowed };
        }
        const { policy, coordination } = target;
        const part = { policy, key: reservation.key, cost: actual };
        const outcome = await coordination.run({ kind: "settle", part, id: reservation.id });
        return { ...outcome.decision, settled: outcome.done };
      }),
    refund: (request, options) =>
      abortable(options?.signal, async () => {
        const entry = checkCheck(context, request);
        refuseHeld(entry);
        const target = context.entries.target(entry, request.key);
        if (target.ruling !== undefined) return target.ruling;
        const { policy, coordination } = target;
        const { key, cost = 1, id } = request;
        const { decision } = await coordination.run({
          kind: "give",
          part: { policy, key, cost },
          takenAt: Number.POSITIVE_INFINITY,
          ...(id === undefined ? {} : { record: { id, ttlUs: policy.idTtlUs } }),
        });
        return decision;
      }),
  };
}

function readTtl(ttl: unknown): number {
  try {
    return recordUs("ttl", ttl, DEFAULT_TTL_MS);
  } catch {
    throw requestError("ttl", 'a duration such as "30s", of at most 1d', ttl);
  }
}

function checkActual(actual: unknown): void {
  try {
    checkCost(actual);
  } catch {
    throw requestError("actual", "a whole number of units, as a cost is", actual);
  }
}
