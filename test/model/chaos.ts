// Scenarios in which anything goes wrong, drawn from a seed: none of them may admit more than was promised, leave a
// check unanswered, or fail to close.

import {
  calendarWindow,
  fixedWindow,
  type Limit,
  type PolicyOptions,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import type { SeededRandom } from "../support/seeded-random.ts";
import { chance, ratioBetween } from "./chance.ts";
import { type FaultRates, NO_FAULTS, type Scenario } from "./scenario.ts";
import type { NetworkOptions } from "./shared-server.ts";
import { equalShares, oneOf, zipfShares } from "./shares.ts";
import { DAY_US } from "./steady.ts";

/** What is drawn of a kind of its own. */
export interface ChaosOptions {
  /** Whether the policy lends before the store has answered. */
  readonly lends: boolean;
  /** Whether anything goes wrong. */
  readonly faults: boolean;
  /** Whether nodes come and go. */
  readonly moves?: boolean;
}

/** For so long little is asked where nodes lend, which they do when they know of each other. */
const QUIET_S = 6;

/** Draws a scenario. */
export function drawChaos(
  random: SeededRandom,
  { lends, faults, moves = false }: ChaosOptions,
): Scenario {
  const nodes = random.pick(moves ? [2, 3, 5] : [1, 2, 3, 5, 8, 12]);
  const keys = random.pick(moves ? [10, 30] : [1, 1, 2, 5]);
  const syncIntervalMs = random.pick([10, 50, 100, 100, 300, 1_000]);
  const policy = {
    limits: moves ? [drawSlow(random)] : drawLimits(random),
    syncInterval: syncIntervalMs,
    leaseFraction: random.pick([0, 0.1, 0.25, 0.25, 1]),
    deadline: random.pick([5, 50, 50, 500]),
    onStoreFailure: random.pick(["allow", "deny", "local"] as const),
    ...(lends ? { maxOvershoot: random.pick(moves ? [0.5, 1] : [0.05, 0.2, 0.5, 1]) } : {}),
  } satisfies PolicyOptions;
  const ofLimit = Math.min(...policy.limits.map(({ limit, windowUs }) => (limit * 1e6) / windowUs));
  // Where nodes move, so little that one may be certain of the others before it is asked for a key.
  const [least, from, to] = moves ? ([0, 2, 6] as const) : ([20, 0.3, 30] as const);
  const rate = Math.min(Math.max(ofLimit * ratioBetween(random, from, to), least), 5_000) * keys;
  const changes = random.pick([0, 0, 0, 1, 20]);
  const periodS = ratioBetween(random, 0.05, 5);
  const lull = random.pick([0, 0.05, 1]);
  const network = drawNetwork(random, faults, moves);
  // Three ways there and back, of a check that comes while another is asked for, and what it waits in between.
  const isInTime = !faults && 8 * network.latencyUs[1] <= 1_000 * policy.deadline;
  return {
    name: policy.limits.map(({ rule, limit }) => `${limit} of ${rule}`).join(" and "),
    policy,
    leaseUs: Math.max(1_000_000, 2_000 * syncIntervalMs),
    quietUs: !isInTime || moves || changes > 0 ? 0 : syncIntervalMs * 1_000,
    nodes,
    keyShares: random.pick([equalShares, zipfShares])(keys),
    nodeShares: nodes > 1 && chance(random) < 0.3 ? oneOf(nodes, 0.9) : equalShares(nodes),
    // Now more, now less.
    rate: (seconds) => {
      if (lends && seconds < QUIET_S) return 0.5;
      return rate * (Math.floor(seconds / periodS) % 2 === 0 ? 1 : Math.max(lull, 1e-2));
    },
    // Those that move have the time to be certain again, and those that are left to have larger parts.
    seconds: random.pick(moves ? [50, 90] : [2, 5, 10]) + (lends ? QUIET_S : 0),
    costs: random.pick(moves ? [[1], [2], [5]] : [[1], [1], [1, 1, 2, 5], [1, 3, 10, 40]]),
    network,
    isInTime,
    faults: {
      ...(faults ? drawFaults(random) : NO_FAULTS),
      ...(moves ? drawMoves(random) : {}),
      changes,
    },
    // What is lent may be charged to the next window, and an answer after the deadline is a lost one.
    losesUnits: !isInTime || lends,
    // Shortly before midnight, so that days end as well.
    startUs: DAY_US - random.between(0, 3_000_000),
  };
}

function drawLimits(random: SeededRandom): Limit[] {
  const draws = [drawBucket, drawBucket, drawFixed, drawSliding, drawDay];
  const first = random.pick(draws)(random);
  return chance(random) < 0.2 ? [first, random.pick(draws)(random)] : [first];
}

/** A few units in a long time, so that a debt outlasts the nodes that made it. */
function drawSlow(random: SeededRandom): Limit {
  const limit = random.between(15, 40);
  return random.pick([
    tokenBucket({ capacity: limit, refill: `${limit}/m` }),
    fixedWindow({ limit, window: 60_000 }),
    slidingWindow({ limit, window: 60_000 }),
  ]);
}

function drawBucket(random: SeededRandom): Limit {
  const capacity = Math.ceil(ratioBetween(random, 1, 3_000));
  const units = Math.ceil(ratioBetween(random, 1, 3_000));
  const period = random.pick(["s", "s", "s", "m", "h"]);
  return tokenBucket({ capacity, refill: `${units}/${period}` });
}

function drawFixed(random: SeededRandom): Limit {
  const limit = Math.ceil(ratioBetween(random, 1, 3_000));
  return fixedWindow({ limit, window: random.pick([100, 300, 1_000, 3_000, 60_000]) });
}

function drawSliding(random: SeededRandom): Limit {
  const limit = Math.ceil(ratioBetween(random, 1, 3_000));
  return slidingWindow({ limit, window: random.pick([100, 300, 1_000, 3_000, 60_000]) });
}

function drawDay(random: SeededRandom): Limit {
  return calendarWindow({ limit: Math.ceil(ratioBetween(random, 1, 3_000)), per: "day" });
}

function drawNetwork(random: SeededRandom, faults: boolean, moves: boolean): NetworkOptions {
  const leastUs = Math.ceil(ratioBetween(random, 50, 3_000));
  const mostUs = Math.ceil(leastUs * ratioBetween(random, 1, faults ? 30 : 3));
  const often = () => (faults ? random.pick([0, 0, 0.01, 0.1]) : 0);
  return {
    latencyUs: [leastUs, mostUs],
    lostQuestions: often(),
    lostAnswers: often(),
    overtakes: faults && chance(random) < 0.2,
    lateCountsUs: moves ? random.pick([0, 1e6, 3e6]) : 0,
  };
}

function drawFaults(random: SeededRandom): Omit<FaultRates, "changes"> {
  const often = () => random.pick([0, 0, 0.2, 2]);
  return { crashes: often(), absences: often(), steps: often(), restarts: 0 };
}

function drawMoves(random: SeededRandom): Pick<FaultRates, "crashes" | "restarts"> {
  return { crashes: random.pick([0, 0.1, 0.3]), restarts: random.pick([0.1, 0.3]) };
}
