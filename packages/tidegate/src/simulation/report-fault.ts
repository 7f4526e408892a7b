// Says a fault of a scenario as the report has it: with all that a reader of a chart has to know of it.

import type { CheckedFault } from "./check-faults.ts";
import type { FaultReport } from "./report.ts";
import type { Partition } from "./simulated-network.ts";

/** Reports a fault; what lasts beyond the traffic, until its end. */
export function reportFault(fault: CheckedFault, durationUs: number): FaultReport {
  return {
    fault: fault.fault,
    fromMs: fault.atUs / 1_000,
    untilMs: Math.min(fault.untilUs, durationUs) / 1_000,
    nodes: fault.nodes.map((node) => node + 1),
    ...ownOf(fault),
  };
}

function ownOf(fault: CheckedFault): Partial<FaultReport> {
  switch (fault.fault) {
    case "partition":
      if ("lost" in fault) return { lost: fault.lost };
      return sidesOf(fault.partition);
    case "network":
      return { network: fault.network };
    case "clock-step":
      return { stepMs: fault.stepMs };
    case "crash":
    case "pause":
      return {};
    default:
      if (fault.losesUs > 0) return { losesMs: fault.losesUs / 1_000 };
      return fault.forgets ? { forgets: true } : {};
  }
}

/** Who is on which side, from 1 on. */
function sidesOf({ sideOf, storeSide, lost }: Partition): Partial<FaultReport> {
  const count = Math.max(...sideOf.map((side = -1) => side)) + 1;
  const sides = Array.from({ length: count }, (_, index) => {
    return sideOf.flatMap((side, node) => (side === index ? node + 1 : []));
  });
  return { sides, lost, ...(storeSide === undefined ? {} : { storeSide: storeSide + 1 }) };
}
