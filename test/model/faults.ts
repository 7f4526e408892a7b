// Faults by chance: nodes that crash, clocks that are stepped, a store that is away for a while.

import type { VirtualTime } from "tidegate/simulation";
import type { SeededRandom } from "../support/seeded-random.ts";
import { chance, gapUs, ratioBetween } from "./chance.ts";
import type { ModelNode } from "./node.ts";
import type { Scenario } from "./scenario.ts";
import type { Absence, SharedServer } from "./shared-server.ts";

const ABSENCES: readonly Absence[] = ["refuses", "hangs", "freezes"];
const HOUR_US = 3_600_000_000;

/** Puts the faults of a scenario into its time. */
export function planFaults(
  scenario: Scenario,
  random: SeededRandom,
  time: VirtualTime,
  server: SharedServer,
  nodes: readonly ModelNode[],
): void {
  const { faults, startUs, seconds } = scenario;
  const plan = (rate: number, fault: () => void) => {
    if (rate === 0) return;
    const endUs = startUs + seconds * 1e6;
    for (let atUs = startUs; ; ) {
      atUs += Math.ceil(gapUs(random, rate));
      if (atUs >= endUs) return;
      time.at(atUs, fault);
    }
  };
  plan(faults.crashes, () => random.pick(nodes).crash());
  plan(faults.absences, () => {
    server.leave(random.pick(ABSENCES), time.nowUs + Math.ceil(ratioBetween(random, 1e4, 4e6)));
  });
  plan(faults.restarts, () => random.pick(nodes).restart());
  plan(faults.changes, () => random.pick(nodes).change());
  plan(faults.steps, () => {
    random.pick(nodes).step(stepOf(random));
  });
}

/** An hour, or anything from a millisecond to some seconds, either way. */
function stepOf(random: SeededRandom): number {
  const sizeUs = chance(random) < 0.3 ? HOUR_US : Math.ceil(ratioBetween(random, 1e3, 5e6));
  return chance(random) < 0.5 ? sizeUs : -sizeUs;
}
