// What a benchmark hands over: measurements round by round, and goals on them. Ratios are taken within a round and
// only then is their median, so that what slowed the machine for a while slowed both sides.

import { median } from "./statistics.ts";

/** How a value is shown. "of ideal" and "per request" are ratios whose small differences count. */
export type Unit =
  | "per second"
  | "ms"
  | "µs"
  | "bytes"
  | "units"
  | "commands"
  | "%"
  | "of ideal"
  | "per request";

/** One contender's values, one for each round. */
export interface Measurement {
  readonly contender: string;
  readonly unit: Unit;
  readonly values: readonly number[];
  /** What else its row says; the same titles in all rows of a table. */
  readonly columns?: readonly Column[];
}

/** A figure beside a contender's values. */
export interface Column {
  readonly title: string;
  readonly unit: Unit;
  readonly value: number;
}

/** A bound on a contender's median, or, with `against`, on the median of its ratio to another contender. */
export interface Goal {
  readonly contender: string;
  /** The column of the contender's row that is meant; left out, its values. */
  readonly column?: string;
  readonly against?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Says why it is missed and what was tried; shown only where it is missed. */
  readonly whenMissed?: readonly string[];
  /** Name of the profile of this section that shows where the time goes. */
  readonly profile?: string;
}

/** Where the time of one contender went. */
export interface Profile {
  readonly contender: string;
  /** Functions by their own time, in per cent of the samples, largest first. */
  readonly lines: readonly { readonly share: number; readonly where: string }[];
}

/** One table of the report. */
export interface Section {
  readonly title: string;
  /** How it is measured. */
  readonly how: string;
  /** What the values are; left out, "median [min – max]". */
  readonly valuesTitle?: string;
  readonly measurements: readonly Measurement[];
  /** Contender that the table's ratios are to. */
  readonly comparator?: string;
  readonly goals: readonly Goal[];
  readonly profiles?: readonly Profile[];
  /** Sentences with figures of the run. */
  readonly remarks?: readonly string[];
}

/** A goal beside what was measured. */
export interface Verdict {
  readonly goal: Goal;
  readonly value: number;
  readonly unit: Unit | "ratio";
  readonly met: boolean;
}

/** Judges the goals of a section. */
export function judge(section: Section): Verdict[] {
  return section.goals.map((goal) => {
    const { contender, column, against } = goal;
    const own = valuesOf(section, contender, column);
    const value =
      against === undefined ? median(own.values) : ratio(section, contender, against, column);
    const unit = against === undefined ? own.unit : "ratio";
    const met = value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity);
    return { goal, value, unit, met };
  });
}

/** Returns the median of the ratios of two contenders, round by round; of a column, the ratio of its two figures. */
export function ratio(
  section: Section,
  contender: string,
  against: string,
  column?: string,
): number {
  const { values } = valuesOf(section, contender, column);
  const others = valuesOf(section, against, column).values;
  if (values.length !== others.length) throw new Error(`${contender}: rounds differ`);
  return median(values.map((value, round) => value / others[round]!));
}

function valuesOf(
  section: Section,
  contender: string,
  column: string | undefined,
): Pick<Measurement, "unit" | "values"> {
  const found = section.measurements.find((each) => each.contender === contender);
  if (found === undefined) throw new Error(`${section.title} has no contender "${contender}"`);
  if (column === undefined) return found;
  const figure = found.columns?.find(({ title }) => title === column);
  if (figure === undefined) throw new Error(`${section.title} has no column "${column}"`);
  return { unit: figure.unit, values: [figure.value] };
}
