// Says what happened in the demo, and holds it against what the limit allows.

import type { Decision, Limit } from "tidegate";
import type { Paint } from "./paint.ts";
import { sayDuration, sayNumber } from "./words.ts";

/** Requests sent at once, and their answers in the order in which they came. Times in milliseconds. */
export interface Round {
  readonly answers: readonly { readonly node: number; readonly decision: Decision }[];
  readonly startMs: number;
  readonly endMs: number;
}

const BAR_LENGTH = 32;

/** Says one answer: "node 2  allowed, 4 remaining". */
export function sayAnswer(node: number, nodes: number, decision: Decision, paint: Paint): string {
  const name = sayNode(node, nodes);
  if (decision.allowed) {
    return `${name}  ${paint("green", "allowed")}, ${sayNumber(decision.remaining)} remaining`;
  }
  const retry = decision.retryAfterMs;
  const when = retry === null ? "whatever it waits" : `retry in ${sayDuration(retry)}`;
  return `${name}  ${paint("red", "denied")}, ${when}`;
}

/** Tells whether every round admitted what the limit allows: not one more, and not one less. */
export function wasKept(rounds: readonly Round[], limit: Limit): boolean {
  const [first, second] = rounds;
  const least = Math.min(first!.answers.length, limit.limit);
  const admittedFirst = admittedIn([first!]);
  if (admittedFirst < least || admittedFirst > limit.limit + refilledIn([first!], limit)) {
    return false;
  }
  if (second === undefined) return true;
  return admittedIn([second]) >= 1 && admittedIn(rounds) <= limit.limit + refilledIn(rounds, limit);
}

/** Says how it went: a table of the nodes, and whether the limit was kept. */
export function sayResult(rounds: readonly Round[], limit: Limit, paint: Paint): string {
  return `\n${sayNodes(rounds, paint)}\n${sayVerdict(rounds, limit, paint)}\n`;
}

function sayNodes(rounds: readonly Round[], paint: Paint): string {
  const answers = rounds.flatMap((round) => round.answers);
  const nodes = Math.max(...answers.map(({ node }) => node)) + 1;
  const counts = Array.from({ length: nodes }, () => ({ allowed: 0, denied: 0 }));
  for (const { node, decision } of answers)
    counts[node]![decision.allowed ? "allowed" : "denied"] += 1;
  const most = Math.max(...counts.map(({ allowed, denied }) => allowed + denied));
  const scale = Math.min(1, BAR_LENGTH / most);
  const width = sayNode(nodes - 1, nodes).length;
  const row = (name: string, asked: string, allowed: string, denied: string) => {
    return `  ${name.padEnd(width)} ${asked.padStart(8)} ${allowed.padStart(8)} ${denied.padStart(8)}`;
  };
  const lines = counts.map(({ allowed, denied }, node) => {
    const length = Math.round((allowed + denied) * scale);
    const full = Math.min(length, allowed === 0 ? 0 : Math.max(1, Math.round(allowed * scale)));
    const bar = paint("green", "█".repeat(full)) + paint("red", "░".repeat(length - full));
    const numbers = [allowed + denied, allowed, denied].map(sayNumber);
    return `${row(sayNode(node, nodes), numbers[0]!, numbers[1]!, numbers[2]!)}   ${bar}`;
  });
  const allowed = admittedIn(rounds);
  const totals = [answers.length, allowed, answers.length - allowed].map(sayNumber);
  return [
    paint("dim", row("", "asked", "allowed", "denied")),
    ...lines,
    ...(nodes > 1 ? [paint("bold", row("all", totals[0]!, totals[1]!, totals[2]!))] : []),
    "",
  ].join("\n");
}

function sayVerdict(rounds: readonly Round[], limit: Limit, paint: Paint): string {
  const [first, second] = rounds;
  const asked = first!.answers.length;
  const admitted = admittedIn([first!]);
  const elapsedMs = first!.endMs - first!.startMs;
  const lines = [
    wasKept(rounds, limit)
      ? paint("green", "The limit was kept exactly.")
      : paint("red", "The limit was NOT kept."),
    `Burst: ${sayNumber(admitted)} of ${sayNumber(asked)} admitted, ${sayExpected(asked, admitted, limit, elapsedMs)}.`,
  ];
  if (second !== undefined) {
    const later = admittedIn([second]);
    const of = `${sayNumber(later)} of ${sayNumber(second.answers.length)} admitted`;
    const back = later === 1 ? "the one unit that had come back" : "the units that had come back";
    lines.push(`After the wait: ${of}, ${back}.`);
  }
  const perSecond = Math.round((asked * 1_000) / Math.max(elapsedMs, 0.001));
  const shown = elapsedMs < 10 ? `${elapsedMs.toFixed(1)} ms` : sayDuration(elapsedMs);
  lines.push(paint("dim", `The burst took ${shown}: ${sayNumber(perSecond)} decisions/s.`));
  return lines.map((line) => `  ${line}\n`).join("");
}

function sayExpected(asked: number, admitted: number, limit: Limit, elapsedMs: number): string {
  const capacity = sayNumber(limit.limit);
  if (asked <= limit.limit) return `as the limit holds ${capacity}: ask for more to see denials`;
  if (admitted === limit.limit) return `${capacity} expected`;
  const extra = sayNumber(admitted - limit.limit);
  return `${capacity} expected and ${extra} more, refilled in the ${sayDuration(elapsedMs)} it took`;
}

function admittedIn(rounds: readonly Round[]): number {
  return rounds.flatMap(({ answers }) => answers).filter(({ decision }) => decision.allowed).length;
}

/** Returns the most that can have been refilled from the first question to the last answer. */
function refilledIn(rounds: readonly Round[], limit: Limit): number {
  if (limit.algorithm !== "token-bucket") return 0;
  const elapsedUs = (rounds.at(-1)!.endMs - rounds[0]!.startMs) * 1_000;
  return Math.floor((elapsedUs * limit.units) / limit.periodUs);
}

function sayNode(node: number, nodes: number): string {
  return `node ${String(node + 1).padStart(String(nodes).length)}`;
}
