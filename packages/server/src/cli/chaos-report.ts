// Says what happens in `tidegate demo --chaos`: a line a second, and in the end what each part of it came to.

import type { CircuitState } from "tidegate";
import { type Count, MODES, type Tally } from "./chaos-traffic.ts";
import type { Paint } from "./paint.ts";
import { sayDuration } from "./words.ts";

/** How Redis is while nothing is done to it. */
export const UP = "up";

/** A part of the show, from one thing that is done to Redis to the next. */
export interface Part {
  /** How Redis is, in a word. */
  readonly redis: string;
  readonly tally: Tally;
  readonly seconds: number;
}

const CELL = 22;
/** Columns of the line that is written every second. */
export const LINE_WIDTH = 2 + 5 + 9 + 12 + MODES.length * CELL + 8;

/** Says over which columns the lines stand: how many were admitted, how many denied, and who decided most of them. */
export function sayHeader(paint: Paint): string {
  const row = (redis: string, circuits: string, cells: readonly string[], slowest: string) => {
    const padded = cells.map((cell) => cell.padEnd(CELL)).join("");
    const line = `  ${"".padEnd(5)}${redis.padEnd(9)}${circuits.padEnd(12)}${padded}${slowest.padStart(8)}`;
    return `${paint("dim", line.trimEnd())}\n`;
  };
  const columns = MODES.map(() => " yes   no by");
  return row("", "", MODES, "slowest") + row("Redis", "circuits", columns, "answer");
}

/** Says a second: how Redis is, what the circuits do, and how many each policy admitted and denied, and who decided. */
export function saySecond(
  second: number,
  redis: string,
  states: readonly CircuitState[],
  { counts, slowestMs }: Tally,
  paint: Paint,
): string {
  const color = redis === UP ? "green" : "red";
  const cells = MODES.map((mode) => sayCount(counts.get(mode)!, paint));
  const circuits = sayCircuits(states);
  const circuitColor = circuits === "closed" ? "green" : "yellow";
  return (
    `  ${`${second} s`.padStart(4)} ${paint(color, redis.padEnd(9))}` +
    `${paint(circuitColor, circuits.padEnd(12))}${cells.join("")}${sayMs(slowestMs).padStart(8)}`
  );
}

function sayCount({ admitted, denied, sources }: Count, paint: Paint): string {
  const source = saySources(sources).padEnd(CELL - 10);
  return `${paint("green", String(admitted).padStart(4))} ${paint("red", String(denied).padStart(4))} ${source}`;
}

/** Says who decided most, and with a plus that others did too. */
function saySources(sources: Count["sources"]): string {
  const [first, ...others] = [...sources].sort(([, one], [, other]) => other - one);
  return first === undefined ? "" : `${first[0]}${others.length === 0 ? "" : "+"}`;
}

/** Says how bad the worst circuit is, and of how many where not all are. */
function sayCircuits(states: readonly CircuitState[]): string {
  const away = states.filter((state) => state !== "closed");
  if (away.length === 0) return "closed";
  const worst = away.includes("open") ? "open" : "half-open";
  return away.length === states.length ? worst : `${worst} ${away.length}/${states.length}`;
}

/** Milliseconds, as exactly as it matters. */
function sayMs(milliseconds: number): string {
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : sayDuration(milliseconds);
}

/** Says what the parts came to: how many a second each policy admitted and by whom, and the slowest answer. */
export function sayParts(parts: readonly Part[], paint: Paint): string {
  const header = MODES.map((mode) => mode.padEnd(CELL)).join("");
  const rows = parts.map(({ redis, tally, seconds }) => {
    const cells = MODES.map((mode) => {
      const { admitted, sources } = tally.counts.get(mode)!;
      const rate = `${Math.round(admitted / seconds)}/s`;
      return `${rate.padStart(6)} ${saySources(sources)}`.padEnd(CELL);
    });
    const color = redis === UP ? "green" : "red";
    const length = `${seconds.toFixed(1)} s`.padStart(8);
    return `  ${paint(color, redis.padEnd(9))}${length}  ${cells.join("")}${sayMs(tally.slowestMs).padStart(8)}`;
  });
  const title = paint("dim", `  ${"admitted".padEnd(19)}${header}${"slowest".padStart(8)}`);
  return `${[title, ...rows].join("\n")}\n`;
}
