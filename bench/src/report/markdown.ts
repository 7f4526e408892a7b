// Writes sections as Markdown, for the terminal and for docs/benchmarks.md alike. No figure is typed by hand.

import {
  type Column,
  type Goal,
  judge,
  type Measurement,
  ratio,
  type Section,
  type Unit,
} from "./section.ts";
import { median } from "./statistics.ts";

/** Writes one section under a heading: its table, its goals, and for what is missed the reason. */
export function sectionToMarkdown(section: Section, heading: "##" | "###" = "##"): string {
  const { comparator } = section;
  const rows = section.measurements.map((measurement) => {
    return [
      measurement.contender,
      spread(measurement),
      ...(comparator === undefined ? [] : [ratioCell(section, measurement, comparator)]),
      ...(measurement.columns ?? []).map((column) => columnCell(section, column, comparator)),
    ];
  });
  const head = ["contender", section.valuesTitle ?? "median [min – max]"];
  if (comparator !== undefined) head.push(`ratio to ${comparator}`);
  head.push(...(section.measurements[0]?.columns ?? []).map(({ title }) => title));
  const blocks = [`${heading} ${section.title}`, section.how, table(head, rows)];
  if (section.remarks !== undefined) blocks.push(...section.remarks);
  const verdicts = judge(section);
  if (verdicts.length > 0) {
    const judged = verdicts.map(({ goal, value, unit, met }) => {
      return [goalText(goal, unit), show(value, unit), met ? "met" : "**missed**"];
    });
    blocks.push(table(["goal", "measured", ""], judged));
  }
  for (const { goal, met, unit } of verdicts) {
    if (!met && goal.whenMissed !== undefined) {
      blocks.push(`**Why “${goalText(goal, unit)}” is missed, and what was tried**`);
      blocks.push(goal.whenMissed.map((line) => `- ${line}`).join("\n"));
    }
  }
  const missed = verdicts.filter(({ met }) => !met).map(({ goal }) => goal.profile);
  for (const profile of section.profiles ?? []) {
    if (!missed.includes(profile.contender)) continue;
    const lines = profile.lines.map(({ share, where }) => [`${share.toFixed(1)} %`, where]);
    blocks.push(`Profile of ${profile.contender} in this run, by own time:`);
    blocks.push(table(["own time", "function"], lines));
  }
  return blocks.join("\n\n");
}

function spread({ values, unit }: Measurement): string {
  const middle = show(median(values), unit);
  if (values.length === 1) return middle;
  return `${middle} [${show(Math.min(...values), unit)} – ${show(Math.max(...values), unit)}]`;
}

function ratioCell(section: Section, measurement: Measurement, comparator: string): string {
  const base = section.measurements.find(({ contender }) => contender === comparator);
  if (base?.unit !== measurement.unit || base.values.length !== measurement.values.length)
    return "";
  return `${show(ratio(section, measurement.contender, comparator), "ratio")} ×`;
}

/** A column's figure, and its ratio to the comparator's. */
function columnCell(section: Section, column: Column, comparator: string | undefined): string {
  const base = section.measurements
    .find(({ contender }) => contender === comparator)
    ?.columns?.find(({ title }) => title === column.title);
  const shown = show(column.value, column.unit);
  return base === undefined ? shown : `${shown}, ${show(column.value / base.value, "ratio")} ×`;
}

function goalText(goal: Goal, unit: Unit | "ratio"): string {
  const { against, atLeast, atMost } = goal;
  const contender = goal.contender + (goal.column === undefined ? "" : `, ${goal.column}`);
  const sign = atLeast === atMost ? "=" : atLeast === undefined ? "≤" : "≥";
  const bound = show((atLeast ?? atMost)!, unit);
  return against === undefined
    ? `${contender} ${sign} ${bound}`
    : `${contender} ${sign} ${bound} × ${against}`;
}

function show(value: number, unit: Unit | "ratio"): string {
  // Of this contender there is no such figure.
  if (Number.isNaN(value)) return "–";
  if (unit === "ratio") return value.toFixed(2);
  if (unit === "per second") return `${Math.round(value).toLocaleString("en-US")}/s`;
  if (unit === "bytes") return `${Math.round(value).toLocaleString("en-US")} bytes`;
  if (unit === "units") return value.toLocaleString("en-US");
  if (unit === "commands") return value.toFixed(2);
  if (unit === "of ideal") return `${value.toFixed(4)} ×`;
  if (unit === "per request") return value.toFixed(4);
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => {
    return Math.max(cell.length, 3, ...rows.map((row) => row[column]!.length));
  });
  const line = (cells: readonly string[]) => {
    return `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  };
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
