// Holds what was admitted against what docs/coordination.md promises of each coordination. What the failure policy
// admits while the store does not answer is promised no bound, and is not counted.

import { Admissions } from "./admissions.ts";
import { gossipAllowance } from "./gossip-allowance.ts";
import { type BoundCheck, judge, roundedUp } from "./judge.ts";
import { type Allowance, NO_ALLOWANCE } from "./limit-account.ts";
import { leaseCheck, storeCheck } from "./store-check.ts";
import { type Subject, sayUnits } from "./subject.ts";

/** Creates the check of a configuration. */
export function createBoundCheck(subject: Subject): BoundCheck {
  const { coordination } = subject.configuration;
  if (coordination === "local") return nodesCheck(subject);
  if (coordination === "gossip") return gossipCheck(subject);
  return coordination === "hybrid" ? leaseCheck(subject) : storeCheck(subject);
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
      return judge(subject, [admissions], () => NO_ALLOWANCE, where);
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
      return judge(subject, [admissions], allowanceOf, where);
    },
  };
}
