// How near to the limit all nodes together stay while nothing goes wrong, in the model, over many seeds: in one second
// of one run chance has its part.

import type { Measurement, Section } from "../report/section.ts";
import { median } from "../report/statistics.ts";
import { judgeRun } from "./judge.ts";
import { runModel } from "./model.ts";
import { NODES, phasesOf, USERS, WORST_AT_MOST } from "./scenario.ts";

const SEEDS = 10;
const SEEDS_QUICK = 2;
const INTERVALS_MS = [100, 1_000];
const WORST = "worst second, median";

/** Judges the steady phase, over some seeds. */
export async function steadySection(quick: boolean): Promise<Section> {
  const phases = phasesOf(quick).slice(0, 2);
  const seeds = quick ? SEEDS_QUICK : SEEDS;
  const measurements: Measurement[] = [];
  for (const intervalMs of INTERVALS_MS) {
    const ratios: number[] = [];
    const worst: number[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) {
      const scenario = { intervalMs, partition: "full" as const, phases, seed };
      const [, steady] = judgeRun(scenario, await runModel(scenario));
      ratios.push(steady!.ratio);
      worst.push(steady!.worstSecond);
    }
    measurements.push({
      contender: nameOf(intervalMs),
      unit: "of ideal",
      values: ratios,
      columns: [
        { title: WORST, unit: "of ideal", value: median(worst) },
        { title: "of all runs", unit: "of ideal", value: Math.max(...worst) },
      ],
    });
  }
  return {
    title: "Gossip: steady, over seeds",
    how:
      `In the model: ${NODES} nodes, ${USERS.keys} users over their limit, the steady phase of the scenario above; ` +
      `${seeds} seeds.`,
    valuesTitle: "admitted ÷ ideal, median [min – max]",
    measurements,
    goals: INTERVALS_MS.flatMap((intervalMs) => {
      const contender = nameOf(intervalMs);
      return [
        { contender, atLeast: 0.99 },
        { contender, atMost: 1.01 },
        { contender, column: WORST, atMost: WORST_AT_MOST[intervalMs]! },
      ];
    }),
  };
}

function nameOf(intervalMs: number): string {
  return `every ${intervalMs} ms`;
}
