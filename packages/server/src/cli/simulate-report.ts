// The report of a simulation as a table for a terminal: a column for each configuration, in several tables where a
// terminal is too narrow for one.

import type { Report } from "tidegate/simulation";
import { sayFault } from "../simulation/fault-marks.ts";
import { createRows, sayFailures } from "../simulation/report-rows.ts";
import type { Paint } from "./paint.ts";

const MARGIN = "  ";

/**
 * Says a report.
 * @param columns that a line may have; a table of one configuration may have more.
 */
export function sayReport(
  report: Report,
  paint: Paint,
  columns: number = Number.POSITIVE_INFINITY,
): string {
  const { scenario, nodes, durationMs, seed, faults } = report;
  const count = `${nodes} node${nodes === 1 ? "" : "s"}`;
  const about = `${count}, ${durationMs / 1_000} s of traffic, seed ${seed}`;
  const said = faults.map((fault) => {
    const { fromMs, untilMs } = fault;
    const when = `${fromMs / 1_000} s${untilMs > fromMs ? ` to ${untilMs / 1_000} s` : ""}`;
    return `  ${paint("yellow", `${when}: ${sayFault(fault)}`)}`;
  });
  return [
    "",
    `  ${paint("bold", scenario)}`,
    `  ${paint("dim", about)}`,
    ...said,
    "",
    ...sayTables(report, paint, columns),
    ...sayFailures(report).map((failure) => `  ${paint("red", `FAILED ${failure}`)}`),
    "",
  ].join("\n");
}

/** Says the lines of the tables, an empty one after each. */
function sayTables(report: Report, paint: Paint, columns: number): string[] {
  const rows = createRows(report);
  const names = report.configurations.map(({ name }) => name);
  const labelWidth = Math.max(...rows.map(({ label }) => label.length));
  const widths = names.map((name, index) => {
    return Math.max(name.length, ...rows.map(({ values }) => values[index]!.length));
  });
  const tables = splitColumns(widths, columns - MARGIN.length - labelWidth);
  return tables.flatMap((places) => {
    const line = (label: string, values: readonly string[]) => {
      const cells = places.map((place) => `${MARGIN}${values[place]!.padStart(widths[place]!)}`);
      return `${MARGIN}${label.padEnd(labelWidth)}${cells.join("")}`;
    };
    const lines = rows.map(({ label, values }) => line(label, values));
    return [paint("bold", line("", names)), ...lines, ""];
  });
}

/** Splits columns of these widths into tables that have room, or one column. */
function splitColumns(widths: readonly number[], room: number): number[][] {
  const tables: number[][] = [];
  let left = 0;
  widths.forEach((width, place) => {
    left -= MARGIN.length + width;
    if (tables.length === 0 || left < 0) {
      tables.push([]);
      left = room - MARGIN.length - width;
    }
    tables.at(-1)!.push(place);
  });
  return tables;
}
