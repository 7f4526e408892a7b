// What the load on services is ordered, and what it reports. Typed arrays go as they are.

import type { Answers } from "./judge.ts";

/** Ask services as the scenario's schedule says. */
export interface LoadOrder {
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly seed: number;
  readonly durationMs: number;
}

/** What came of it. */
export interface LoadReport {
  readonly answers: readonly Answers[];
  /** How late a request was asked, at worst, in milliseconds. */
  readonly latestMs: number;
}
