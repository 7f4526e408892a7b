// Simulates the scenario of a seed, and says what was wrong with how to see it again.

import { type Report, simulate } from "tidegate/simulation";
import { drawScenario } from "./draw-scenario.ts";

/** What a seed has found. */
export interface Finding {
  readonly requests: number;
  /** The checks that were made, whether they held or not. */
  readonly checks: readonly string[];
  /** One line that begins with the command that replays it; undefined where nothing was wrong. */
  readonly wrong: string | undefined;
}

/** Every so many seeds, one is simulated twice, to see that it comes out the same. */
const TWICE = 25;

/** Runs the scenario of a seed. */
export async function runSeed(seed: number): Promise<Finding> {
  const scenario = drawScenario(seed);
  const replay = `npm run simulations -- 1 ${seed}`;
  let report: Report;
  const wrong: string[] = [];
  try {
    report = await simulate(scenario);
    if (seed % TWICE === 0 && JSON.stringify(await simulate(scenario)) !== JSON.stringify(report)) {
      wrong.push("the same seed gave another report");
    }
  } catch (error) {
    throw new Error(`${replay}  (${scenario.name})`, { cause: error });
  }
  for (const { name, verdicts, requests, ...counts } of report.configurations) {
    for (const { check, held, detail, atMs } of verdicts) {
      const when = atMs === undefined ? "" : `, ${atMs} ms after the start`;
      if (!held) wrong.push(`${name}, ${check}: ${detail}${when}`);
    }
    const answered = Object.values(counts.sources).reduce((sum, count) => sum + count, 0);
    const known = answered + counts.lostRequests + counts.unansweredRequests;
    if (known !== requests) wrong.push(`${name}: of ${requests} requests ${known} are known`);
  }
  return {
    requests: report.configurations.reduce((sum, { requests }) => sum + requests, 0),
    checks: report.configurations.flatMap(({ coordination, verdicts }) => {
      return verdicts.map(({ check }) => `${coordination}, ${check}`);
    }),
    wrong: wrong.length === 0 ? undefined : `${replay}  (${scenario.name}): ${wrong.join("; ")}`,
  };
}
