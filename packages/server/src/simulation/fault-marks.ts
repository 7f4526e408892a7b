// Marks the faults of a scenario on a chart: shaded while they last, and named above it, each name with its own room.

import type { FaultReport } from "tidegate/simulation";
import { escapeHtml } from "./escape-html.ts";

/** Of a line of names, in the units of the chart. */
export const NAMES_HEIGHT = 16;
/** Names are wider than this by no common font; per letter. */
const LETTER_WIDTH = 7;
const BETWEEN_NAMES = 8;
/** Where more faults come together, the page has their names in its head only. */
const LINES_MAX = 6;
const MARK_WIDTH_MIN = 2;

/** Where the plot is, in the units of the chart. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly height: number;
  /** Where an instant is. */
  readonly x: (ms: number) => number;
}

/** A name, its place, and the line that it is in: 0 is next to the plot; undefined where there is no room. */
export interface FaultName {
  readonly fault: FaultReport;
  readonly words: string;
  readonly x: number;
  readonly line: number | undefined;
}

/** Finds a place for each name, at its fault if there is room: faults that begin one after another take more lines. */
export function placeNames(
  faults: readonly FaultReport[],
  { left, right, x }: Pick<Plot, "left" | "right" | "x">,
): FaultName[] {
  const lines: { from: number; to: number }[][] = [];
  return faults.map((fault) => {
    const words = shorten(sayFault(fault), Math.floor((right - left) / LETTER_WIDTH));
    const width = words.length * LETTER_WIDTH;
    const from = Math.max(left, Math.min(x(fault.fromMs), right - width));
    const room = { from, to: from + width + BETWEEN_NAMES };
    let line = lines.findIndex((others) => {
      return others.every((other) => other.to <= room.from || room.to <= other.from);
    });
    if (line < 0 && lines.length === LINES_MAX) return { fault, words, x: from, line: undefined };
    if (line < 0) line = lines.push([]) - 1;
    lines[line]!.push(room);
    return { fault, words, x: from, line };
  });
}

/** Returns how many lines names take. */
export function linesOf(names: readonly FaultName[]): number {
  return names.reduce((most, { line = -1 }) => Math.max(most, line + 1), 0);
}

/** Returns a fault as SVG: what it shades, and its name. */
export function markFault({ fault, words, x: at, line }: FaultName, plot: Plot): string {
  const { top, height, x } = plot;
  const from = x(fault.fromMs);
  const width = Math.max(round(x(fault.untilMs) - from), MARK_WIDTH_MIN);
  const shade = `<rect class="fault" x="${from}" y="${top}" width="${width}" height="${height}"/>`;
  if (line === undefined) return shade;
  const y = top - 8 - NAMES_HEIGHT * line;
  return `${shade}<text class="fault-name" x="${round(at)}" y="${y}">${escapeHtml(words)}</text>`;
}

/**
 * Says a fault: "store hangs", "crash, node 2", "partition, nodes 1 to 3 and store | 4, 5", "network, loss 0.5". A
 * store that is on no side of a partition is reached by all nodes.
 */
export function sayFault(fault: FaultReport): string {
  const { nodes, sides, storeSide } = fault;
  const said = [fault.fault.replace("-", " ")];
  if (nodes.length > 0) {
    const groups = (sides ?? [nodes]).map((side, index) => {
      return `${sayNodes(side)}${index + 1 === storeSide ? " and store" : ""}`;
    });
    const all = groups.join(" | ");
    const store = fault.fault === "partition" && sides === undefined ? "store | " : "";
    said.push(`${store}node${nodes.length === 1 ? "" : "s"} ${all}`);
  }
  return [...said, ...sayOwn(fault)].join(", ");
}

function sayOwn({ lost, forgets, losesMs, network = {}, stepMs }: FaultReport): string[] {
  const { betweenRegions = {}, ...everywhere } = network;
  const values = (options: object) =>
    Object.entries(options).map(([name, value]) => `${name} ${value}`);
  return [
    ...(lost === undefined || lost === "both" ? [] : [lost]),
    ...(forgets === true ? ["comes back empty"] : []),
    ...(losesMs === undefined ? [] : [`fails over without its last ${losesMs} ms`]),
    ...values(everywhere),
    ...values(betweenRegions).map((said) => `${said} between regions`),
    ...(stepMs === undefined ? [] : [`${stepMs > 0 ? "+" : ""}${stepMs} ms`]),
  ];
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

function shorten(words: string, letters: number): string {
  return words.length <= letters ? words : `${words.slice(0, letters - 1)}…`;
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}
