// Writes the time lines of a report as CSV (RFC 4180), for spreadsheets and notebooks.

import type { Report } from "tidegate/simulation";
import { sayFault } from "./fault-marks.ts";

const COLUMNS = [
  ...["configuration", "from_seconds", "asked_units", "admitted_units", "ideal_units"],
  ...["messages", "message_bytes", "faults"],
];

/**
 * One line for each interval of each configuration, with what goes wrong in it; units are those of the interval, not of
 * a second.
 */
export function writeCsv({ configurations, faults }: Report): string {
  const lines = configurations.flatMap(({ name, timeline }) => {
    const { intervalMs, units, admittedUnits, idealUnits, messages, messageBytes } = timeline;
    return units.map((asked, index) => {
      const fromMs = index * intervalMs;
      const counts = [admittedUnits, idealUnits, messages, messageBytes].map((one) => one[index]);
      const wrong = faults.filter((fault) => {
        const isInstant = fault.fromMs === fault.untilMs && fault.fromMs >= fromMs;
        return fault.fromMs < fromMs + intervalMs && (fault.untilMs > fromMs || isInstant);
      });
      const said = quote(wrong.map(sayFault).join("; "));
      return [quote(name), fromMs / 1_000, asked, ...counts, said].join(",");
    });
  });
  return `${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
