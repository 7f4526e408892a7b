// Puts the faults of a scenario into its time.

import type { CheckedFault, StoreFault } from "./check-faults.ts";
import { completeNetwork } from "./check-network.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import type { SimulatedNode } from "./simulated-node.ts";
import type { Return, SimulatedStore } from "./simulated-store.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What faults are done to. */
export interface Victims {
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  /** One, or one of each region. */
  readonly stores: readonly SimulatedStore[];
  readonly nodes: readonly SimulatedNode[];
}

/** Plans all faults; `startUs` is when the scenario begins. */
export function planFaults(
  faults: readonly CheckedFault[],
  victims: Victims,
  startUs: number,
): void {
  const { time } = victims;
  for (const fault of faults) {
    const { begin, end } = effectOf(fault, victims);
    time.at(startUs + fault.atUs, begin);
    if (end !== undefined) time.at(startUs + fault.untilUs, end);
  }
}

interface Effect {
  readonly begin: () => void;
  readonly end?: () => void;
}

function effectOf(fault: CheckedFault, { network, stores, nodes }: Victims): Effect {
  const all = (work: (node: SimulatedNode) => void) => () => {
    for (const index of fault.nodes) work(nodes[index]!);
  };
  switch (fault.fault) {
    case "store-refuses":
    case "store-hangs":
    case "store-freezes": {
      const absence = ABSENCES[fault.fault];
      return {
        begin: () => {
          for (const store of stores) store.leave(absence);
        },
        end: () => {
          for (const store of stores) store.comeBack(returnOf(fault));
        },
      };
    }
    case "crash":
      return { begin: all((node) => node.crash()), end: all((node) => node.restart()) };
    case "pause":
      return { begin: all((node) => node.pause()), end: all((node) => node.resume()) };
    case "clock-step":
      return { begin: all((node) => node.step(fault.stepMs * 1_000)) };
    case "partition":
      if ("partition" in fault) {
        const { partition } = fault;
        return {
          begin: () => void network.partitions.add(partition),
          end: () => void network.partitions.delete(partition),
        };
      }
      return {
        begin: () => {
          for (const index of fault.nodes) network.cuts.set(index, fault.lost);
        },
        end: () => {
          for (const index of fault.nodes) network.cuts.delete(index);
        },
      };
    case "network": {
      const before = network.options;
      return {
        begin: () => {
          network.options = completeNetwork(before, fault.network);
        },
        end: () => {
          network.options = before;
        },
      };
    }
  }
}

function returnOf({ forgets, losesUs }: StoreFault): Return {
  if (losesUs > 0) return "replica";
  return forgets ? "empty" : "whole";
}

const ABSENCES = {
  "store-refuses": "refuses",
  "store-hangs": "hangs",
  "store-freezes": "freezes",
} as const;
