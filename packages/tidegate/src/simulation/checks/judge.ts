// Judges what was admitted, in words, and what there is to be judged.

import type { Limit } from "../../algorithms/dispatch.ts";
import type { Verdict } from "../report.ts";
import type { Answer } from "../simulated-node.ts";
import type { Admissions, AllowanceOf, Breach } from "./admissions.ts";
import { type Subject, sayCount, sayUnits } from "./subject.ts";

/** Gathers what was admitted, and judges it. */
export interface BoundCheck {
  answered(answer: Answer): void;
  verdict(totals: Totals): Verdict;
}

/** Units of all keys, and those that the ideal admits. */
export interface Totals {
  readonly admittedUnits: number;
  readonly idealUnits: number;
  /** By key, those that the store took and that its failovers lost. */
  readonly lostUnits: ReadonlyMap<string, number>;
}

/** Each region has a unit at least, so that all together may have more than the whole of a small limit. */
export function roundedUp({ configuration }: Subject, { limit }: Limit): number {
  const weights = Object.values(configuration.options.regions ?? {});
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const parts = weights.map((weight) => Math.max(Math.floor((limit * weight) / whole), 1));
  return Math.max(parts.reduce((sum, part) => sum + part, 0) - limit, 0);
}

/**
 * Judges whether what was admitted is within the limits and what they may be exceeded by.
 * @param histories what a store counts: one, or with failovers several, which have their beginnings in common.
 */
export function judge(
  { configuration, startUs }: Subject,
  histories: readonly Admissions[],
  allowanceOf: AllowanceOf,
  where: string,
): Verdict {
  const breach = worstOf(histories.map((one) => one.worst(configuration.policy, allowanceOf)));
  if (breach === undefined) {
    const { size } = new Set(histories.flatMap(({ names }) => names));
    return {
      check: "bound",
      held: true,
      detail: `${sayCount(size, "key")} within the limits ${where}`,
    };
  }
  const { key, units, trueUs, limitName } = breach;
  const what = `${JSON.stringify(key)} was admitted ${sayUnits(units)} beyond limit ${limitName}`;
  const atMs = (trueUs - startUs) / 1_000;
  return { check: "bound", held: false, detail: `${what} ${where}`, atMs };
}

function worstOf(breaches: readonly (Breach | undefined)[]): Breach | undefined {
  return breaches.reduce((worst, one) => {
    return (one?.units ?? 0) > (worst?.units ?? 0) ? one : worst;
  }, undefined);
}
