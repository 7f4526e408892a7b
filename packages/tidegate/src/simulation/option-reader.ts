// Reads options one by one and collects what is wrong with them, so that everything is said at once.

import { TidegateError } from "../errors.ts";
import { parseDuration } from "../policy/duration.ts";
import { checkOptions, nearestOf, optionError } from "../policy/options.ts";

/** One thing that is wrong. */
export interface ScenarioProblem {
  /** The path of what is at fault: "traffic[0].rate". */
  readonly field: string;
  /** The whole sentence, which names the field, the value and what would be right. */
  readonly message: string;
}

/** Bounds of a number; with `whole`, it has no fraction. */
export interface NumberBounds {
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
}

/** The reader. */
export class OptionReader {
  readonly problems: ScenarioProblem[] = [];

  /** Adds a problem. */
  report(field: string, message: string): void {
    this.problems.push({ field, message });
  }

  /** Runs a check that throws; undefined where it did. `field` is blamed where the error names none that is known. */
  attempt<T>(field: string, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof TidegateError)) throw error;
      this.report(field, error.message);
      return undefined;
    }
  }

  /** Whether it is an object with known keys; each unknown one is reported. */
  isObject<T extends object>(
    field: string,
    value: T | undefined,
    known: readonly string[],
  ): value is T {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const error = optionError(field, `an object with ${known.join(", ")}`, value);
      this.report(field, error.message);
      return false;
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      this.attempt(field === "scenario" ? key : `${field}.${key}`, () => {
        return checkOptions(field, { [key]: true }, known);
      });
    }
    return true;
  }

  number(
    field: string,
    value: unknown,
    standard: number | undefined,
    bounds: NumberBounds,
  ): number {
    const { least, most, whole = false } = bounds;
    if (value === undefined && standard !== undefined) return standard;
    const isRight = typeof value === "number" && value >= least && value <= most;
    if (isRight && (!whole || Number.isInteger(value))) return value;
    const expected = `${whole ? "a whole number" : "a number"} from ${least} to ${most}`;
    this.report(field, optionError(field, expected, value).message);
    return standard ?? least;
  }

  word<T extends string>(field: string, value: unknown, standard: T, words: readonly T[]): T {
    if (value === undefined) return standard;
    const known = words.find((word) => word === value);
    if (known !== undefined) return known;
    const expected = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
    const meant = typeof value === "string" ? nearestOf(value, words) : undefined;
    const remark = meant === undefined ? "" : `did you mean ${meant}?`;
    this.report(field, optionError(field, expected, value, remark).message);
    return standard;
  }

  flag(field: string, value: unknown): boolean {
    if (value === undefined || typeof value === "boolean") return value === true;
    this.report(field, optionError(field, "true or false", value).message);
    return false;
  }

  /** Reads a duration as microseconds; 1 ms where it is wrong. */
  durationUs(field: string, value: unknown, standardUs?: number): number {
    if (value === undefined && standardUs !== undefined) return standardUs;
    return (this.attempt(field, () => parseDuration(field, value)) ?? 1) * 1_000;
  }

  /** Reads an instant since the beginning, which may be 0, as microseconds. */
  instantUs(field: string, value: unknown, standardUs?: number): number {
    return value === 0 || value === "0s" ? 0 : this.durationUs(field, value, standardUs);
  }
}
