// What a benchmark is, to the command that runs it.

import type { Section } from "./report/section.ts";

/** How much to measure. */
export interface Effort {
  /** Rounds in which every contender is measured once. */
  readonly rounds: number;
  /** Milliseconds of one measurement. */
  readonly sliceMs: number;
  /** Whether this is a look, whose figures are not published. */
  readonly quick: boolean;
}

/** A benchmark by its name on the command line. */
export interface Benchmark {
  readonly name: string;
  /** File in docs/ that has a place for its tables; left out, docs/benchmarks.md, which holds nothing else. */
  readonly page?: string;
  run(effort: Effort): Promise<readonly Section[]>;
}
