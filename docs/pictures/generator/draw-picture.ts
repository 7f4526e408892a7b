// Draws one run: a dot for each request in a column of its time, what goes when, and the units that remain. All
// pictures have the same axes. Legible on light and dark pages, since the ground is part of the picture.

import { LIMIT, SHOWN_MS } from "./offered.ts";
import type { Answered, Level, Run } from "./run-algorithm.ts";

/** A piece of time with a name. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
}

/** What is drawn. */
export interface Picture {
  readonly title: string;
  readonly written: string;
  readonly summary: string;
  /** Says all of it, for those who do not see it. */
  readonly description: string;
  readonly run: Run;
  readonly windows: readonly Span[];
  /** Whether units are held: then those are drawn, and not what remains. */
  readonly holds: boolean;
  /** Marked with a bracket. */
  readonly span: Span;
}

const WIDTH = 880;
const HEIGHT = 436;
const LEFT = 76;
const RIGHT = WIDTH - 24;
const COLUMN_MS = 200;
const DOT = 12;
const DOT_RADIUS = 4.6;
const TOP = 72;
const DOTS_BOTTOM = 262;
const GOES_AT = 278;
const BRACKET_AT = 292;
const LEVEL_TOP = 316;
const LEVEL_BOTTOM = 396;
const UNIT = (LEVEL_BOTTOM - LEVEL_TOP) / LIMIT;

const LIGHT = {
  ground: "#ffffff",
  edge: "#d0d7de",
  text: "#1f2328",
  muted: "#59636e",
  admitted: "#2266b3",
  denied: "#c2410c",
  window: "#eef2f6",
};
const DARK: typeof LIGHT = {
  ground: "#0d1117",
  edge: "#3d444d",
  text: "#f0f6fc",
  muted: "#9198a1",
  admitted: "#58a6ff",
  denied: "#f0883e",
  window: "#1a212a",
};

function colors(palette: typeof LIGHT): string {
  const { ground, edge, text, muted, admitted, denied, window } = palette;
  return (
    `.g{fill:${ground};stroke:${edge}}.t{fill:${text}}.m{fill:${muted}}.a{fill:${admitted}}.w{fill:${window}}` +
    `.d{fill:none;stroke:${denied}}.l{fill:none;stroke:${admitted}}.f{fill:${admitted}}.o{fill:${denied}}` +
    `.x{fill:none;stroke:${edge}}.b{fill:none;stroke:${muted}}`
  );
}

const STYLE =
  ".d,.l{stroke-width:1.6}.f{fill-opacity:.28}.o{fill-opacity:.6}.y{stroke-opacity:.45;stroke-width:1}" +
  ".h{font-size:17px;font-weight:bold}.c{font:13px ui-monospace,Menlo,Consolas,monospace}" +
  ".s{font-size:13px;font-weight:normal}.n{font-size:12px}.e{text-anchor:end}.k{text-anchor:middle}" +
  `${colors(LIGHT)}@media(prefers-color-scheme:dark){${colors(DARK)}}`;

/** Draws a picture as SVG. */
export function drawPicture(picture: Picture): string {
  const { title, written, summary, description, run, windows, holds, span } = picture;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
      'role="img" aria-labelledby="title desc" font-family="Helvetica,Arial,sans-serif">',
    `<title id="title">${escaped(`${title}: how it admits a burst`)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="g" x=".5" y=".5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="6"/>`,
    `<text class="t h" x="20" y="28">${escaped(title)}<tspan class="m s" dx="12">${escaped(summary)}</tspan></text>`,
    text("m c", 20, 50, written),
    ...legend(holds),
    ...drawWindows(windows),
    ...drawAxes(holds),
    ...drawDots(run.answered),
    ...drawWaits(run.answered),
    ...drawBracket(span),
    ...(holds ? drawHeld(run) : [drawLevel("f", run.remaining), drawStep("l", run.remaining)]),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

/** Where an instant is. */
function x(ms: number): number {
  return LEFT + ((RIGHT - LEFT) * ms) / SHOWN_MS;
}

/** Where a number of units is. */
function y(units: number): number {
  return LEVEL_BOTTOM - UNIT * units;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function text(style: string, left: number, baseline: number, content: string): string {
  return `<text class="${style}" x="${fixed(left)}" y="${fixed(baseline)}">${escaped(content)}</text>`;
}

/** Writes a coordinate, a tenth of a pixel exact. */
function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function dot(style: string, left: number, top: number, radius = DOT_RADIUS): string {
  return `<circle class="${style}" cx="${fixed(left)}" cy="${fixed(top)}" r="${radius}"/>`;
}

function rectangle(style: string, from: number, to: number, top: number, bottom: number): string {
  const size = `width="${fixed(to - from)}" height="${fixed(bottom - top)}"`;
  return `<rect class="${style}" x="${fixed(from)}" y="${fixed(top)}" ${size}/>`;
}

function path(style: string, d: string): string {
  return `<path class="${style}" d="${d}"/>`;
}

function legend(holds: boolean): string[] {
  const entries = [
    dot("a", RIGHT - 150, 24),
    text("m n", RIGHT - 141, 28, "admitted"),
    dot("d", RIGHT - 66, 24, DOT_RADIUS - 0.8),
    text("m n", RIGHT - 57, 28, "denied"),
  ];
  if (!holds) return entries;
  return [
    ...entries,
    rectangle("o", RIGHT - 155, RIGHT - 145, 41, 51),
    text("m n", RIGHT - 141, 50, "held by one that crashed"),
  ];
}

function drawWindows(windows: readonly Span[]): string[] {
  return windows.flatMap(({ fromMs, toMs, label }, index) => [
    ...(index % 2 === 0 ? [rectangle("w", x(fromMs), x(toMs), TOP, LEVEL_BOTTOM)] : []),
    ...(label === "" ? [] : [text("m n k", x((fromMs + toMs) / 2), TOP + 14, label)]),
  ]);
}

function drawAxes(holds: boolean): string[] {
  const horizontal = (at: number) => path("x", `M${LEFT} ${at}H${RIGHT}`);
  const seconds = Array.from({ length: SHOWN_MS / 1_000 + 1 }, (_, second) => second);
  return [
    horizontal(DOTS_BOTTOM + 0.5),
    horizontal(LEVEL_TOP + 0.5),
    horizontal(LEVEL_BOTTOM + 0.5),
    text("m n e", LEFT - 10, DOTS_BOTTOM - 2, "requests"),
    text("m n e", LEFT - 10, LEVEL_TOP + 4, String(LIMIT)),
    text("m n e", LEFT - 10, LEVEL_TOP + 45, holds ? "held" : "remaining"),
    text("m n e", LEFT - 10, LEVEL_BOTTOM + 4, "0"),
    ...seconds.map((second) => {
      return path("x", `M${fixed(x(second * 1_000))} ${LEVEL_BOTTOM}v5`);
    }),
    ...seconds.map((second) => {
      return text("m n k", x(second * 1_000), LEVEL_BOTTOM + 20, `${second} s`);
    }),
  ];
}

interface Place {
  readonly left: number;
  readonly top: number;
}

/** Where the dots of the requests are: those of one column stand on each other. */
function placesOf(answered: readonly Answered[]): Place[] {
  const heights = new Map<number, number>();
  return answered.map(({ atMs }) => {
    const column = Math.floor(atMs / COLUMN_MS);
    const height = heights.get(column) ?? 0;
    heights.set(column, height + 1);
    return { left: x((column + 0.5) * COLUMN_MS), top: DOTS_BOTTOM - DOT * (height + 0.5) };
  });
}

function drawDots(answered: readonly Answered[]): string[] {
  const places = placesOf(answered);
  return answered.map(({ allowed }, index) => {
    const { left, top } = places[index]!;
    return allowed ? dot("a", left, top) : dot("d", left, top, DOT_RADIUS - 0.8);
  });
}

/** Draws when requests go that have to wait, and for those of the burst from where. */
function drawWaits(answered: readonly Answered[]): string[] {
  if (answered.every(({ atMs, goesAtMs }) => atMs === goesAtMs)) return [];
  const places = placesOf(answered);
  const goes = answered.flatMap(({ allowed, goesAtMs }, index) => {
    return allowed && goesAtMs < SHOWN_MS ? [{ at: x(goesAtMs), from: places[index]! }] : [];
  });
  const burst = goes.filter(({ from }) => from.left === goes[0]!.from.left);
  return [
    text("m n e", LEFT - 10, GOES_AT + 4, "go"),
    ...burst.map(({ at, from }) => {
      return path("l y", `M${fixed(from.left)} ${fixed(from.top)}L${fixed(at)} ${GOES_AT - 5}`);
    }),
    ...goes.map(({ at }) => path("l", `M${fixed(at)} ${GOES_AT - 5}v10`)),
  ];
}

function drawBracket({ fromMs, toMs, label }: Span): string[] {
  const from = fixed(x(fromMs));
  const to = fixed(x(toMs));
  return [
    path("b", `M${from} ${BRACKET_AT - 4}v8M${from} ${BRACKET_AT}H${to}M${to} ${BRACKET_AT - 4}v8`),
    text("t n", x(toMs) + 8, BRACKET_AT + 4, label),
  ];
}

function stepsOf(levels: readonly Level[]): string {
  return levels
    .map(({ atMs, units }, index) => {
      const top = fixed(y(units));
      return index === 0 ? `M${fixed(x(atMs))} ${top}` : `H${fixed(x(atMs))}V${top}`;
    })
    .join("");
}

function drawStep(style: string, levels: readonly Level[]): string {
  return path(style, `${stepsOf(levels)}H${RIGHT}`);
}

function drawLevel(style: string, levels: readonly Level[]): string {
  return path(style, `${stepsOf(levels)}H${RIGHT}V${LEVEL_BOTTOM}H${LEFT}Z`);
}

/** Draws what is held, and in it what is held by those that crashed. */
function drawHeld({ remaining, orphaned }: Run): string[] {
  const held = remaining.map(({ atMs, units }) => ({ atMs, units: LIMIT - units }));
  return [drawLevel("f", held), drawLevel("o", orphaned), drawStep("l", held)];
}
