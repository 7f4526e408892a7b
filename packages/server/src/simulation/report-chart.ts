// Draws one configuration: what was admitted against what the ideal admits, over time, with the faults shaded.

import type { ConfigurationReport, Report } from "tidegate/simulation";
import { escapeHtml } from "./escape-html.ts";
import { linesOf, markFault, NAMES_HEIGHT, type Plot, placeNames } from "./fault-marks.ts";

const WIDTH = 960;
const LEFT = 62;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 28;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = 196;

/** What is asked for is shown whole where it is no more than so many times the rest. */
const ASKED_SHOWN = 1.5;

/** The most units a second that a chart of the report has to show. */
export function highestRate({ configurations, durationMs }: Report): number {
  const mostOf = (pick: (timeline: ConfigurationReport["timeline"]) => readonly number[]) => {
    const rates = configurations.flatMap(({ timeline }) => {
      return ratesOf(pick(timeline), timeline.intervalMs, durationMs);
    });
    return rates.reduce((most, rate) => Math.max(most, rate), 0);
  };
  const answered = Math.max(
    mostOf(({ admittedUnits }) => admittedUnits),
    mostOf(({ idealUnits }) => idealUnits),
    1,
  );
  const asked = mostOf(({ units }) => units);
  return asked <= answered * ASKED_SHOWN ? Math.max(asked, answered) : answered;
}

/** Returns the chart as SVG; `most` units a second are at its top. */
export function drawChart(
  report: Report,
  configuration: ConfigurationReport,
  index: number,
  most: number,
): string {
  const { durationMs, faults } = report;
  const { timeline, name } = configuration;
  const x = (ms: number) => round(LEFT + (PLOT_WIDTH * ms) / durationMs);
  const names = placeNames(faults, { left: LEFT, right: WIDTH - RIGHT, x });
  const top = TOP + NAMES_HEIGHT * Math.max(linesOf(names) - 1, 0);
  const height = top + PLOT_HEIGHT + BOTTOM;
  const highest = most * 1.05;
  const y = (rate: number) => round(top + PLOT_HEIGHT * (1 - rate / highest));
  const clip = `plot-${index}`;
  const label = `${name}: admitted and allowed units a second over ${durationMs / 1_000} seconds`;
  const room = `x="${LEFT}" y="${top}" width="${PLOT_WIDTH}" height="${PLOT_HEIGHT}"`;
  const lines = linesOfTime(timeline, durationMs);
  const plot = { left: LEFT, right: WIDTH - RIGHT, top, height: PLOT_HEIGHT, x };
  return [
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">`,
    `<clipPath id="${clip}"><rect ${room}/></clipPath>`,
    ...names.map((named) => markFault(named, plot)),
    `<text x="${LEFT - 8}" y="${top - 8}" text-anchor="end">units/s</text>`,
    ...createTicks(most, 4).map((rate) => drawLevel(rate, y(rate))),
    ...createTicks(durationMs / 1_000, 10).map((seconds) => {
      const at = `x="${x(seconds * 1_000)}" y="${height - 8}"`;
      return `<text ${at} text-anchor="middle">${seconds} s</text>`;
    }),
    `<g clip-path="url(#${clip})">`,
    ...drawLines(lines, x, y),
    drawBeyond(lines, highest, plot),
    ...drawFigures(lines, plot),
    "</g></svg>",
  ].join("\n");
}

/** Rates by interval, in units a second, and where each interval begins and ends. */
interface Lines {
  readonly asked: readonly number[];
  readonly admitted: readonly number[];
  readonly ideal: readonly number[];
  /** When an interval begins, since the beginning. */
  readonly beginMs: (at: number) => number;
}

function linesOfTime(
  { intervalMs, units, admittedUnits, idealUnits }: ConfigurationReport["timeline"],
  durationMs: number,
): Lines {
  return {
    asked: ratesOf(units, intervalMs, durationMs),
    admitted: ratesOf(admittedUnits, intervalMs, durationMs),
    ideal: ratesOf(idealUnits, intervalMs, durationMs),
    beginMs: (at) => Math.min(at * intervalMs, durationMs),
  };
}

/** The last interval may be shorter than the others. */
function ratesOf(counts: readonly number[], intervalMs: number, durationMs: number): number[] {
  return counts.map((count, at) => {
    return (count * 1_000) / Math.min(intervalMs, durationMs - at * intervalMs);
  });
}

function drawLines(
  { asked, admitted, ideal, beginMs }: Lines,
  x: (ms: number) => number,
  y: (rate: number) => number,
): string[] {
  const edge = (at: number) => x(beginMs(at));
  const steps = (line: readonly number[]) => {
    return line.map((rate, at) => `${at === 0 ? "M" : "L"}${edge(at)} ${y(rate)}H${edge(at + 1)}`);
  };
  const gaps = (isShown: (at: number) => boolean) => {
    return admitted.flatMap((rate, at) => {
      if (!isShown(at)) return [];
      return `M${edge(at)} ${y(rate)}H${edge(at + 1)}V${y(ideal[at]!)}H${edge(at)}Z`;
    });
  };
  const line = (name: string, path: readonly string[]) => {
    return `<path class="${name}" d="${path.join("")}"/>`;
  };
  const over = gaps((at) => admitted[at]! > ideal[at]!);
  const under = gaps((at) => admitted[at]! < ideal[at]!);
  return [
    line("asked", steps(asked)),
    line("over", over),
    line("under", under),
    line("ideal", steps(ideal)),
    line("admitted", steps(admitted)),
  ];
}

/** Says how much is asked for where that leaves the chart; "" where it does not. */
function drawBeyond({ asked, beginMs }: Lines, highest: number, { right, top, x }: Plot): string {
  const first = asked.findIndex((rate) => rate > highest);
  if (first < 0) return "";
  const words = `↑ asked for: up to ${sayRate(Math.max(...asked))}/s`;
  const from = x(beginMs(first));
  const place =
    from > (LEFT + right) / 2 ? `x="${from - 10}" text-anchor="end"` : `x="${from + 10}"`;
  return `<text class="beyond" ${place} y="${top + 14}">${words}</text>`;
}

/** Draws what says the figures of an interval to whoever points at it. */
function drawFigures({ asked, admitted, ideal, beginMs }: Lines, { top, x }: Plot): string[] {
  return admitted.map((rate, at) => {
    const from = x(beginMs(at));
    const place = `x="${from}" y="${top}" width="${round(x(beginMs(at + 1)) - from)}"`;
    const figures = [
      `asked ${sayRate(asked[at]!)}/s`,
      `allowed ${sayRate(ideal[at]!)}/s`,
      `admitted ${sayRate(rate)}/s`,
    ];
    const told = `${beginMs(at) / 1_000} s: ${figures.join(", ")}`;
    return `<rect class="hover" ${place} height="${PLOT_HEIGHT}"><title>${told}</title></rect>`;
  });
}

function drawLevel(rate: number, y: number): string {
  const line = `<path class="grid" d="M${LEFT} ${y}H${WIDTH - RIGHT}"/>`;
  return `${line}<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${sayRate(rate)}</text>`;
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
