// Holds what was admitted against what docs/coordination.md promises of each coordination. What the failure policy
// admits while the store does not answer is promised no bound, and is not counted.

import type { Limit } from "../../algorithms/dispatch.ts";
import type { Source } from "../../decision.ts";
import type { Verdict } from "../report.ts";
import type { Answer } from "../simulated-node.ts";
import { Admissions } from "./admissions.ts";
import { gossipAllowance } from "./gossip-allowance.ts";
import type { Allowance } from "./limit-account.ts";
import { type Subject, sayUnits } from "./subject.ts";

/** Gathers what was admitted, and judges it. */
export interface BoundCheck {
  answered(answer: Answer): void;
  verdict(totals: Totals): Verdict;
}

/** Units of all keys, and those that the ideal admits. */
export interface Totals {
  readonly admittedUnits: number;
  readonly idealUnits: number;
}

const NONE: Allowance = { beyond: 0, holdUs: 0 };

/** Each region has a unit at least, so that all together may have more than the whole of a small limit. */
function roundedUp({ configuration }: Subject, { limit }: Limit): number {
  const weights = Object.values(configuration.options.regions ?? {});
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const parts = weights.map((weight) => Math.max(Math.floor((limit * weight) / whole), 1));
  return Math.max(parts.reduce((sum, part) => sum + part, 0) - limit, 0);
}

/** Creates the check of a configuration. */
export function createBoundCheck(subject: Subject): BoundCheck {
  const { coordination } = subject.configuration;
  if (coordination === "local") return nodesCheck(subject);
  if (coordination === "gossip") return gossipCheck(subject);
  return storeCheck(subject, coordination === "hybrid" ? leaseAllowance(subject) : () => NONE);
}

/**
 * Each node keeps the limits by its own clock, in each of its lives. One that is alone, and that nothing happens to, is
 * the ideal.
 */
function nodesCheck(subject: Subject): BoundCheck {
  const admissions = new Admissions();
  return {
    answered: ({ request, decision, node, decidedUs }) => {
      if (!decision.allowed) return;
      // A clock that is set may free what a window holds, once.
      const group = `${node.index}:${node.life}:${node.steps}`;
      const atUs = node.clockUs;
      admissions.add(group, request.key, { atUs, cost: request.cost, trueUs: decidedUs });
    },
    verdict: ({ admittedUnits, idealUnits }) => {
      const { nodes, faults, clockSkewMs } = subject.scenario;
      const isAlone = nodes === 1 && faults.length === 0 && clockSkewMs === 0;
      if (isAlone && admittedUnits !== idealUnits) {
        const detail = `one node alone admitted ${sayUnits(admittedUnits)}, the ideal ${sayUnits(idealUnits)}`;
        return { check: "bound", held: false, detail };
      }
      const where = isAlone ? "on the one node, which is the ideal" : "on each node alone";
      return judge(subject, admissions, () => NONE, where);
    },
  };
}

/** All nodes together keep the limits by the store's clock; anew where the store has forgotten. */
function storeCheck(subject: Subject, allowanceOf: (limit: number) => Allowance): BoundCheck {
  const admissions = new Admissions();
  const forgotUs = forgettings(subject);
  const isHybrid = subject.configuration.coordination === "hybrid";
  let degraded = 0;
  return {
    answered: ({ request, decision, decidedUs }) => {
      if (!decision.allowed) return;
      if (!isOfStore(decision.source)) {
        degraded += request.cost;
        return;
      }
      // What a lease from before is spent of counts with what was granted then.
      const epoch = isHybrid ? 0 : forgotUs.filter((atUs) => atUs <= decidedUs).length;
      const admission = { atUs: decidedUs, cost: request.cost, trueUs: decidedUs };
      admissions.add(String(epoch), request.key, admission);
    },
    verdict: () => {
      const again = isHybrid ? forgotUs.length : 0;
      const allowed = (index: number): Allowance => {
        const allowance = allowanceOf(index);
        const limit = subject.configuration.policy.limits[index]!;
        const beyond = allowance.beyond + 2 * again * limit.limit + roundedUp(subject, limit);
        return { ...allowance, beyond };
      };
      const lease = isHybrid ? ", and what leases may hold over" : "";
      const others = degraded === 0 ? "" : `; ${sayUnits(degraded)} by the failure policy beside`;
      return judge(subject, admissions, allowed, `on all nodes together${lease}${others}`);
    },
  };
}

/** All nodes together keep the limits, and what is admitted before news of it arrives. */
function gossipCheck(subject: Subject): BoundCheck {
  const admissions = new Admissions();
  return {
    answered: ({ request, decision, decidedUs }) => {
      if (!decision.allowed) return;
      const { key, cost } = request;
      admissions.add("", key, { atUs: decidedUs, cost, trueUs: decidedUs });
    },
    verdict: () => {
      const { limits } = subject.configuration.policy;
      const allowed = gossipAllowance(subject);
      const allowanceOf = (index: number): Allowance => {
        const allowance = allowed(index);
        return { ...allowance, beyond: allowance.beyond + roundedUp(subject, limits[index]!) };
      };
      const beyond = Math.max(
        ...limits.map((_, index) => {
          return allowanceOf(index).beyond;
        }),
      );
      const where = `on all nodes together and the ${sayUnits(Math.floor(beyond))} that news on its way allows`;
      return judge(subject, admissions, allowanceOf, where);
    },
  };
}

function isOfStore(source: Source): boolean {
  return source === "store" || source === "lease" || source === "cache";
}

/** When the store came back empty. */
function forgettings({ scenario, startUs }: Subject): readonly number[] {
  return scenario.faults.flatMap((fault) => {
    return "forgets" in fault && fault.forgets ? [startUs + fault.untilUs] : [];
  });
}

/** What is debited may be spent a lease's time later, and what is lent is part of the limit. */
function leaseAllowance({ configuration }: Subject): (limit: number) => Allowance {
  const { syncIntervalMs, maxOvershoot, limits } = configuration.policy;
  const holdUs = Math.max(1_000_000, 2_000 * syncIntervalMs);
  return (index) => {
    const beyond = Math.floor(maxOvershoot * limits[index]!.limit);
    // What is owed of a window before may round to one more.
    return { holdUs, beyond: beyond === 0 ? 0 : beyond + 1 };
  };
}

function judge(
  { configuration, startUs }: Subject,
  admissions: Admissions,
  allowanceOf: (limit: number) => Allowance,
  where: string,
): Verdict {
  const breach = admissions.worst(configuration.policy, allowanceOf);
  if (breach === undefined) {
    const keys = `${admissions.size} key${admissions.size === 1 ? "" : "s"}`;
    return { check: "bound", held: true, detail: `${keys} within the limits ${where}` };
  }
  const { key, units, trueUs, limitName } = breach;
  const what = `${JSON.stringify(key)} was admitted ${sayUnits(units)} beyond limit ${limitName}`;
  const atMs = (trueUs - startUs) / 1_000;
  return { check: "bound", held: false, detail: `${what} ${where}`, atMs };
}
