// acquire, release, extend and withPermit: units that are held for a while.

import { TidegateError } from "../errors.ts";
import type { CheckRequest, Held, Limiter } from "../limiter.ts";
import { show } from "../policy/options.ts";
import type { Policy } from "../policy/policy.ts";
import { requestError } from "../policy/request.ts";
import { createSystemId } from "../runtime/system-ids.ts";
import {
  abortable,
  type CallContext,
  checkCheck,
  checkHeld,
  orLater,
  told,
} from "./call-context.ts";
import type { Entry } from "./policy-entries.ts";
import { type PermitLease, withPermit } from "./with-permit.ts";

type PermitCalls = Pick<Limiter, "acquire" | "release" | "extend" | "withPermit">;

/** Creates the calls. */
export function createPermits(context: CallContext): PermitCalls {
  async function acquire(
    request: CheckRequest,
    signal: AbortSignal | undefined,
  ): Promise<PermitLease> {
    const entry = checkCheck(context, request);
    requirePermits(entry);
    const { key, id = createSystemId(), cost = 1 } = request;
    if (cost === 0) throw requestError("cost", "at least 1 for a permit", cost);
    const target = context.entries.target(entry, key, cost);
    if (target.ruling !== undefined) {
      return { permit: { ...told(context, target.ruling), id, cost, leaseMs: 0 }, leaseMs: 0 };
    }
    const { policy, coordination } = target;
    const parts = [{ policy, key, cost }];
    const { decision, held } = await coordination.run({
      kind: "take",
      parts,
      permit: id,
      freshPermit: request.id === undefined,
    });
    if (signal?.aborted === true && request.id === undefined) {
      // Nobody has been told its id, so nobody else can give it back.
      await change("release", { policy: policy.name, key, id }).catch(() => false);
    }
    // Where nobody counts, nobody holds.
    const leaseMs = decision.source === "fail-open" ? 0 : leaseMsOf(policy);
    const own =
      held === undefined
        ? { id, cost, leaseMs }
        : { id, cost: held.units, leaseMs: Math.max(Math.floor(held.leftUs / 1_000), 1) };
    return { permit: { ...told(context, orLater(target, decision)), ...own }, leaseMs };
  }

  async function change(kind: "release" | "extend", permit: Held): Promise<boolean> {
    const { entry, target } = checkHeld(context, permit);
    requirePermits(entry);
    // A key without a limit holds what it likes, and one that is blocked nothing.
    if (target.ruling !== undefined) return target.ruling.allowed;
    const { policy, coordination } = target;
    const part = { policy, key: permit.key, cost: 0 };
    return (await coordination.run({ kind, part, permit: permit.id })).done;
  }

  const calls: PermitCalls = {
    acquire: (request, options) =>
      abortable(options?.signal, async () => (await acquire(request, options?.signal)).permit),
    release: (permit, options) => abortable(options?.signal, () => change("release", permit)),
    extend: (permit, options) => abortable(options?.signal, () => change("extend", permit)),
    withPermit: (request, work, options) => {
      const { signal } = options ?? {};
      const take = () => abortable(signal, () => acquire(request, signal));
      return withPermit(calls, take, context.timer, work, signal);
    },
  };
  return calls;
}

/** The shortest lease of a policy's limits. */
function leaseMsOf({ limits }: Policy): number {
  const leases = limits.filter(({ algorithm }) => algorithm === "concurrency");
  return Math.min(...leases.map(({ windowUs }) => windowUs)) / 1_000;
}

function requirePermits({ policy }: Entry): void {
  if (policy.holds) return;
  throw new TidegateError(
    "INVALID_REQUEST",
    `policy must be one with a concurrency limit, got ${show(policy.name)}: check it`,
    { field: "policy" },
  );
}
