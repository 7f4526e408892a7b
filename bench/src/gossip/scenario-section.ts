// The table of one scenario: what service processes did in each phase, beside what the model says.

import type { Goal, Measurement, Section } from "../report/section.ts";
import { judgeRun, type PhaseResult } from "./judge.ts";
import { runModel } from "./model.ts";
import type { Places } from "./places.ts";
import { type ProcessRun, runProcesses } from "./processes.ts";
import { type Phase, type Scenario, USERS, WORST_AT_MOST } from "./scenario.ts";

/** What a scenario is shown with. */
export interface ScenarioSectionOptions {
  readonly scenario: Scenario;
  /** Where processes stand; left out, the model is alone. */
  readonly places: Places | undefined;
  /** Processor time of a service under the same load without gossip, in per cent of a core. */
  readonly cpuWithout: number;
}

const MODEL = "model";
const WORST = "worst second";
const BACK = "within 2 % after";
const BOUND = "most of a key ÷ bound";
/** How far processes may be from the model: the machine is busy now and then, and a second is short. */
const TOLERANCE = 0.05;
/** Place of the phase after the partition. */
const HEALED = 3;
/** A second is looked for in steps of this. */
const STEP_MS = 100;
const BASELINE: readonly Phase[] = [
  { name: "start", seconds: 3, begins: undefined },
  { name: "steady", seconds: 10, begins: undefined },
];

/** Runs a scenario, in the model and where it can be in processes. */
export async function scenarioSection(options: ScenarioSectionOptions): Promise<Section> {
  const { scenario, places, cpuWithout } = options;
  const { intervalMs, partition } = scenario;
  const model = judgeRun(scenario, await runModel(scenario));
  const run = places === undefined ? undefined : await runProcesses(scenario, places);
  const processes = run === undefined ? [] : judgeRun(scenario, run);
  const sources = [...(run === undefined ? [] : ["processes"]), MODEL];
  const measurements = scenario.phases.flatMap((_, phase) => {
    const pair = [processes[phase], model[phase]].filter((result) => result !== undefined);
    return pair.map((result, index) => row(result, sources[index]!, cpuWithout));
  });
  return {
    title: `Gossip every ${intervalMs} ms, partition: ${partition}`,
    how: describe(processes, scenario),
    valuesTitle: "admitted ÷ ideal",
    measurements,
    goals: [processes, model]
      .filter((results) => results.length > 0)
      .flatMap((results, index) => goalsOf(sources[index]!, scenario, results))
      .concat(nearModel(sources)),
    remarks: remarksOf(run),
  };
}

/** Measures what services spend under the same load with coordination local, in per cent of a core each. */
export async function cpuWithoutGossip(places: Places): Promise<number> {
  const scenario: Scenario = { intervalMs: 100, partition: "full", phases: BASELINE, seed: 1 };
  const { traffic } = await runProcesses(scenario, places, "local");
  return traffic[1]!.cpu;
}

function describe(processes: readonly PhaseResult[], { phases }: Scenario): string {
  const lengths = phases.map(({ name, seconds }) => `${name} ${seconds} s`).join(", ");
  const steady = processes[1];
  const asked =
    steady === undefined
      ? "Here in the model alone, for this machine allows no network namespaces."
      : `${Math.round(steady.requestsPerSecond).toLocaleString("en-US")} requests/s were asked in the steady phase.`;
  return `In turn: ${lengths}. ${asked}`;
}

function remarksOf(run: ProcessRun | undefined): readonly string[] {
  if (run === undefined) return [];
  return [`The latest request was asked ${Math.round(run.latestMs)} ms after it was due.`];
}

function row(result: PhaseResult, source: string, cpuWithout: number): Measurement {
  return {
    contender: `${result.name}, ${source}`,
    unit: "of ideal",
    values: [result.ratio],
    columns: [
      { title: WORST, unit: "of ideal", value: result.worstSecond },
      { title: "most units of a key over the ideal", unit: "units", value: result.mostOver },
      { title: BOUND, unit: "per request", value: result.ofBound },
      { title: "sent per node and second", unit: "bytes", value: result.bytesPerSecond },
      { title: "messages", unit: "per second", value: result.messagesPerSecond },
      { title: "CPU for gossip", unit: "%", value: result.cpu - cpuWithout },
      { title: BACK, unit: "ms", value: result.backMs },
      { title: "all see all after", unit: "ms", value: result.allSeenMs },
    ],
  };
}

function goalsOf(
  source: string,
  { intervalMs }: Scenario,
  results: readonly PhaseResult[],
): readonly Goal[] {
  const steady = `steady, ${source}`;
  const { capacity, refillPerSecond } = USERS;
  const repaidMs = (1_000 * capacity) / refillPerSecond;
  // The model is judged over many seeds, in a table of its own.
  const isNear =
    source === MODEL
      ? []
      : [
          { contender: steady, atLeast: 0.99 },
          { contender: steady, atMost: 1.01 },
          { contender: steady, column: WORST, atMost: WORST_AT_MOST[intervalMs]! },
        ];
  return [
    ...isNear,
    { contender: `2 against 3, ${source}`, column: BOUND, atMost: 1 },
    // Once the nodes reach each other again a debt is repaid, as deep as a bucket is at most; then five rounds.
    {
      contender: `healed, ${source}`,
      column: BACK,
      atMost: results[HEALED]!.allSeenMs + repaidMs + 5 * intervalMs + STEP_MS,
    },
  ];
}

/** Processes are as the model says. */
function nearModel(sources: readonly string[]): readonly Goal[] {
  if (sources.length < 2) return [];
  return ["steady", "2 against 3", "healed"].flatMap((phase) => {
    const pair = { contender: `${phase}, processes`, against: `${phase}, model` };
    return [
      { ...pair, atLeast: 1 - TOLERANCE },
      { ...pair, atMost: 1 + TOLERANCE },
    ];
  });
}
