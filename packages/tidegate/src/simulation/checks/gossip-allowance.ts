// By how much gossip may go beyond a limit: what is admitted before news of it arrives, and once more for each group of
// nodes that does not hear of the others. docs/coordination.md says the same in words.

import type { Limit } from "../../algorithms/dispatch.ts";
import type { CheckedFault } from "../check-faults.ts";
import type { CheckedNetwork } from "../check-network.ts";
import { completeNetwork } from "../check-network.ts";
import type { Allowance } from "./limit-account.ts";
import type { Subject } from "./subject.ts";

/** Rounds until what one node says is known to all, with as many nodes as a simulation has. */
const ROUNDS = 5;

/** Losing so much of its messages, any node may be on a side of its own. */
const MAX_LOSS = 0.5;

/** Sides that keep to their shares reckon them from what each has measured, which may add up to more than the whole. */
const SHARE_ERROR = 0.05;

/** Returns what each limit may be exceeded by, on all nodes together and at any time. */
export function gossipAllowance(subject: Subject): (limit: number) => Allowance {
  const { scenario, configuration } = subject;
  const { limits } = configuration.policy;
  const spreadUs = newsUs(subject);
  return (index) => {
    const limit = limits[index]!;
    const whole = (spanUs: number) => limit.limit + cameBack(limit, spanUs);
    // Each fault may have some nodes enforce the limit by themselves for as long as it lasts and news takes after it.
    const alone = scenario.faults.reduce((sum, fault) => {
      const lastsUs = Math.min(fault.untilUs, scenario.durationUs) - fault.atUs;
      return sum + soloNodes(fault, subject) * whole(lastsUs + spreadUs);
    }, 0);
    const shifted = isBucket(limit) ? 0 : shiftedWindows(subject, limit) * limit.limit;
    const largest = Math.max(...scenario.traffic.map(costOf));
    const rounded = scenario.nodes * largest;
    // In a window that is over before news has spread, each node is alone.
    const isTooShort = !isBucket(limit) && spreadUs >= limit.windowUs;
    const unknown = isTooShort ? (scenario.nodes - 1) * limit.limit : burst(limit, spreadUs);
    return { beyond: unknown + alone + shifted + rounded, holdUs: 0 };
  };
}

/**
 * How many windows more there are in the time of one. Each node's are those of its own clock: of clocks that are a
 * little apart, the end of one and the begin of the next; of those that have nothing to do with each other, all.
 */
function shiftedWindows({ scenario }: Subject, { windowUs }: Limit): number {
  const apartUs = 2_000 * scenario.clockSkewMs;
  if (apartUs === 0) return 0;
  return apartUs < windowUs / 4 ? 1 : Math.max(scenario.nodes - 1, 1);
}

/** How long it takes at most until all nodes that hear each other know what one of them has admitted. */
export function newsUs({ scenario, configuration }: Subject): number {
  const { intervalMs, regionIntervalMs } = configuration.gossip!;
  const hasRegions = new Set(scenario.regions).size > 1;
  const networks = scenario.faults.flatMap((fault) => {
    return fault.fault === "network" ? [completeNetwork(scenario.network, fault.network)] : [];
  });
  const travelMs = [scenario.network, ...networks].map((one) => slowestMs(one, hasRegions));
  const roundMs = hasRegions ? intervalMs + regionIntervalMs : intervalMs;
  return 1_000 * (ROUNDS * roundMs + 3 * Math.max(...travelMs));
}

/** Milliseconds that hardly any message exceeds. */
function slowestMs(network: CheckedNetwork, hasRegions: boolean): number {
  const { reordering, reorderingMs, betweenRegions } = network;
  const slow = (link: { readonly latencyMs: number; readonly jitterMs: number }) => {
    return link.latencyMs + 10 * link.jitterMs;
  };
  const link = hasRegions ? Math.max(slow(network), slow(betweenRegions)) : slow(network);
  return link + (reordering > 0 ? reorderingMs : 0);
}

/** How many nodes, or groups of them, a fault has decide beside the others. */
function soloNodes(fault: CheckedFault, { scenario, configuration }: Subject): number {
  switch (fault.fault) {
    case "partition": {
      if (!("partition" in fault)) return 0;
      const sides = new Set(fault.partition.sideOf.filter((side) => side !== undefined)).size;
      return (configuration.policy.partition === "share" ? SHARE_ERROR : 1) * (sides - 1);
    }
    case "crash":
    case "pause":
    case "clock-step":
      return fault.nodes.length;
    case "network": {
      const { loss, betweenRegions } = completeNetwork(scenario.network, fault.network);
      return Math.max(loss, betweenRegions.loss) >= MAX_LOSS ? scenario.nodes - 1 : 0;
    }
    default:
      return 0;
  }
}

/** Units that nodes may admit of a key before they know of each other: of a bucket, half of it, and what comes back. */
function burst(limit: Limit, spreadUs: number): number {
  return isBucket(limit) ? limit.limit / 2 + cameBack(limit, spreadUs) : limit.limit;
}

/** Units that come back in a span. */
function cameBack(limit: Limit, spanUs: number): number {
  return isBucket(limit) ? (limit.limit * spanUs) / limit.windowUs : 0;
}

function isBucket({ algorithm }: Limit): boolean {
  return algorithm === "token-bucket";
}

function costOf({ cost, replay }: Subject["scenario"]["traffic"][number]): number {
  return replay === undefined ? cost : replay.costs.reduce((most, one) => Math.max(most, one), 1);
}
