// The kinds of chaos, and what a seed of one finds.

import { createSeededRandom } from "../support/seeded-random.ts";
import { type ChaosOptions, drawChaos } from "./chaos.ts";
import { runModel } from "./run-model.ts";

/** By name, as the command line has them. */
export const KINDS: Readonly<Record<string, ChaosOptions>> = {
  calm: { lends: false, faults: false },
  faulty: { lends: false, faults: true },
  lending: { lends: true, faults: false },
  "lending-faulty": { lends: true, faults: true },
  "lending-moving": { lends: true, faults: false, moves: true },
};

/** What a seed has found. */
export interface Finding {
  readonly requests: number;
  /** Says how to see it again, and what was wrong; undefined where nothing was. */
  readonly wrong: string | undefined;
}

/** Runs the scenario of a seed. */
export async function runSeed(kind: string, seed: number): Promise<Finding> {
  const scenario = drawChaos(createSeededRandom(seed), KINDS[kind]!);
  const replay = `npm run model -- 1 ${kind} ${seed}`;
  try {
    const { requests, wrong } = await runModel(scenario, seed);
    if (wrong.length === 0) return { requests, wrong: undefined };
    return { requests, wrong: `${replay}  (${scenario.name}): ${wrong.join("; ")}` };
  } catch (error) {
    throw new Error(replay, { cause: error });
  }
}
