// Writes the time lines of a report as CSV (RFC 4180), for spreadsheets and notebooks.

import type { Report } from "tidegate/simulation";

/** One line for each interval of each configuration; units are those of the interval, not of a second. */
export function writeCsv({ configurations }: Report): string {
  const lines = configurations.flatMap(({ name, timeline }) => {
    const { intervalMs, units, admittedUnits, idealUnits, messages, messageBytes } = timeline;
    return units.map((asked, index) => {
      const fromSeconds = (index * intervalMs) / 1_000;
      const counts = [admittedUnits, idealUnits, messages, messageBytes].map((one) => one[index]);
      return [quote(name), fromSeconds, asked, ...counts].join(",");
    });
  });
  const header =
    "configuration,from_seconds,asked_units,admitted_units,ideal_units,messages,message_bytes";
  return `${[header, ...lines].join("\r\n")}\r\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
