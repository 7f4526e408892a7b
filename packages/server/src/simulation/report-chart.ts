// Draws one configuration: what was admitted against what the ideal admits, over time, with the faults shaded.

import type { ConfigurationReport, FaultReport, Report } from "tidegate/simulation";
import { escapeHtml } from "./escape-html.ts";

const WIDTH = 960;
const HEIGHT = 250;
const LEFT = 62;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 28;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

/** The most units a second that a chart of the report has to show. */
export function highestRate({ configurations }: Report): number {
  const rates = configurations.flatMap(({ timeline }) => {
    const { intervalMs, admittedUnits, idealUnits } = timeline;
    return [...admittedUnits, ...idealUnits].map((units) => (units * 1_000) / intervalMs);
  });
  return rates.reduce((most, rate) => Math.max(most, rate), 1);
}

/** Returns the chart as SVG; `most` units a second are at its top. */
export function drawChart(
  report: Report,
  configuration: ConfigurationReport,
  index: number,
  most: number,
): string {
  const { durationMs, faults } = report;
  const ticks = createTicks(most, 4);
  const top = most * 1.05;
  const x = (ms: number) => round(LEFT + (PLOT_WIDTH * ms) / durationMs);
  const y = (rate: number) => round(TOP + PLOT_HEIGHT * (1 - rate / top));
  const { timeline, name } = configuration;
  const { intervalMs, units, admittedUnits, idealUnits } = timeline;
  const rates = (counts: readonly number[]) => {
    return counts.map((count, at) => {
      return (count * 1_000) / Math.min(intervalMs, durationMs - at * intervalMs);
    });
  };
  const [asked, admitted, ideal] = [rates(units), rates(admittedUnits), rates(idealUnits)];
  const edge = (at: number) => x(Math.min(at * intervalMs, durationMs));
  const steps = (line: readonly number[]) => {
    return line.map((rate, at) => `${at === 0 ? "M" : "L"}${edge(at)} ${y(rate)}H${edge(at + 1)}`);
  };
  const gaps = (isShown: (at: number) => boolean) => {
    return admitted.flatMap((rate, at) => {
      if (!isShown(at)) return [];
      return `M${edge(at)} ${y(rate)}H${edge(at + 1)}V${y(ideal[at]!)}H${edge(at)}Z`;
    });
  };
  const clip = `plot-${index}`;
  const label = `${name}: admitted and allowed units a second over ${durationMs / 1_000} seconds`;
  const room = `x="${LEFT}" y="${TOP}" width="${PLOT_WIDTH}" height="${PLOT_HEIGHT}"`;
  const line = (name: string, path: readonly string[]) => {
    return `<path class="${name}" d="${path.join("")}"/>`;
  };
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(label)}">`,
    `<clipPath id="${clip}"><rect ${room}/></clipPath>`,
    ...faults.map((fault) => shade(fault, x)),
    ...ticks.map((rate) => drawLevel(rate, y(rate))),
    ...createTicks(durationMs / 1_000, 10).map((seconds) => {
      const at = `x="${x(seconds * 1_000)}" y="${HEIGHT - 8}"`;
      return `<text ${at} text-anchor="middle">${seconds} s</text>`;
    }),
    `<g clip-path="url(#${clip})">`,
    line("asked", steps(asked)),
    line(
      "over",
      gaps((at) => admitted[at]! > ideal[at]!),
    ),
    line(
      "under",
      gaps((at) => admitted[at]! < ideal[at]!),
    ),
    line("ideal", steps(ideal)),
    line("admitted", steps(admitted)),
    ...admitted.map((rate, at) => {
      const from = edge(at);
      const place = `x="${from}" y="${TOP}" width="${round(edge(at + 1) - from)}"`;
      const figures = [
        `asked ${sayRate(asked[at]!)}/s`,
        `allowed ${sayRate(ideal[at]!)}/s`,
        `admitted ${sayRate(rate)}/s`,
      ];
      const told = `${(at * intervalMs) / 1_000} s: ${figures.join(", ")}`;
      return `<rect class="hover" ${place} height="${PLOT_HEIGHT}"><title>${told}</title></rect>`;
    }),
    "</g></svg>",
  ].join("\n");
}

function drawLevel(rate: number, y: number): string {
  const line = `<path class="grid" d="M${LEFT} ${y}H${WIDTH - RIGHT}"/>`;
  return `${line}<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${sayRate(rate)}</text>`;
}

function shade(fault: FaultReport, x: (ms: number) => number): string {
  const { fromMs, untilMs } = fault;
  const from = x(fromMs);
  const width = Math.max(round(x(untilMs) - from), 2);
  const words = escapeHtml(sayFault(fault));
  // Near the right edge there is no room for words behind the beginning.
  const isLate = from > LEFT + 0.75 * PLOT_WIDTH;
  const at = isLate ? `x="${round(from + width)}" text-anchor="end"` : `x="${from}"`;
  const place = `x="${from}" y="${TOP}" width="${width}" height="${PLOT_HEIGHT}"`;
  return `<rect class="fault" ${place}/><text class="fault-name" ${at} y="${TOP - 8}">${words}</text>`;
}

/** Says a fault: "store hangs", "crash, node 2", "partition, nodes 1 to 3 | 4, 5". */
export function sayFault({ fault, nodes, sides, lost }: FaultReport): string {
  const words = fault.replace("-", " ");
  if (nodes.length === 0) return words;
  const way = lost === undefined || lost === "both" ? "" : `, ${lost}`;
  const said = (sides ?? [nodes]).map(sayNodes).join(" | ");
  return `${words}, node${nodes.length === 1 ? "" : "s"} ${said}${way}`;
}

/** Says numbers, three and more in a row by the first and the last. */
function sayNodes(nodes: readonly number[]): string {
  const rows: number[][] = [];
  for (const node of nodes) {
    if (rows.at(-1)?.at(-1) === node - 1) rows.at(-1)!.push(node);
    else rows.push([node]);
  }
  return rows
    .map((row) => (row.length < 3 ? row.join(", ") : `${row[0]} to ${row.at(-1)}`))
    .join(", ");
}

/** Returns round numbers from 0 up to `most` or a little less, about so many. */
export function createTicks(most: number, count: number): number[] {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const ticks: number[] = [];
  for (let index = 0; index * step <= most * 1.000001; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

function sayRate(rate: number): string {
  return Number(rate.toPrecision(rate >= 1_000 ? 4 : 3)).toLocaleString("en-US");
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}
