// The report of a simulation as a table for a terminal: a column for each configuration.

import type { Report } from "tidegate/simulation";
import { sayFault } from "../simulation/fault-marks.ts";
import { createRows, sayFailures } from "../simulation/report-rows.ts";
import type { Paint } from "./paint.ts";

/** Says a report. */
export function sayReport(report: Report, paint: Paint): string {
  const { scenario, nodes, durationMs, seed, faults, configurations } = report;
  const rows = createRows(report);
  const labelWidth = Math.max(...rows.map(({ label }) => label.length));
  const widths = configurations.map(({ name }, index) => {
    return Math.max(name.length, ...rows.map(({ values }) => values[index]!.length));
  });
  const line = (label: string, values: readonly string[]) => {
    const cells = values.map((value, index) => value.padStart(widths[index]!));
    return `  ${label.padEnd(labelWidth)}  ${cells.join("  ")}`;
  };
  const count = `${nodes} node${nodes === 1 ? "" : "s"}`;
  const about = `${count}, ${durationMs / 1_000} s of traffic, seed ${seed}`;
  const said = faults.map((fault) => {
    const { fromMs, untilMs } = fault;
    const when = `${fromMs / 1_000} s${untilMs > fromMs ? ` to ${untilMs / 1_000} s` : ""}`;
    return `  ${paint("yellow", `${when}: ${sayFault(fault)}`)}`;
  });
  const head = line(
    "",
    configurations.map(({ name }) => name),
  );
  return [
    "",
    `  ${paint("bold", scenario)}`,
    `  ${paint("dim", about)}`,
    ...said,
    "",
    paint("bold", head),
    ...rows.map(({ label, values }) => line(label, values)),
    "",
    ...sayFailures(report).map((failure) => `  ${paint("red", `FAILED ${failure}`)}`),
    "",
  ].join("\n");
}
