// `tidegate demo`: several nodes ask one limit at once, then wait as long as a denial says and ask again. What was
// admitted is held against what the limit allows, so it is a check as much as a show.

import { randomUUID } from "node:crypto";
import { type Decision, type Limit, type Limiter, TidegateError, tokenBucket } from "tidegate";
import { redactRedisUrl } from "tidegate/redis";
import { systemTimers, type Timers } from "../runtime/timers.ts";
import { type Context, EXIT } from "./context.ts";
import { closeNodes, openNodes } from "./demo-nodes.ts";
import { type Round, sayAnswer, sayResult, wasKept } from "./demo-report.ts";
import { createPaint, type Paint } from "./paint.ts";
import { sayDuration, sayLimit, sayNumber } from "./words.ts";

/** What to show. */
export interface DemoOptions {
  /** Left out: in memory. */
  readonly redis?: string;
  readonly nodes: number;
  readonly requests: number;
  readonly capacity: number;
  /** A rate, such as "1/s". */
  readonly refill: string;
}

/** The policy that the nodes share. */
const POLICY = "demo";
/** The longest there is: a burst may take Redis longer than a request of an application should wait. */
const DEADLINE = "1s";
/** Nobody watches a demo that waits for longer. */
const WAIT_MS_MAX = 15_000;
/** A timer may fire so much before its time. */
const TIMER_EARLY_MS = 2;

/** Shows it; returns 0 where the limit was kept, 1 where it was not, 2 where it could not be shown. */
export async function demo(
  options: DemoOptions,
  context: Context,
  timers: Timers = systemTimers,
): Promise<number> {
  const { stdout, stderr, environment } = context;
  const paint = createPaint(stdout, environment);
  let limiters: Limiter[] = [];
  try {
    const limit = createLimit(options);
    const policy = { limits: [limit], deadline: DEADLINE, onStoreFailure: "deny" as const };
    limiters = await openNodes(options, { [POLICY]: policy }, timers);
    stdout.write(`\n${introduce(options, limit, paint)}\n\n`);
    const stage = { limit, limiters, timers, paint, write: (text: string) => stdout.write(text) };
    const rounds = await play(stage, options.requests);
    requireAnswers(rounds);
    stdout.write(sayResult(rounds, limit, paint));
    return wasKept(rounds, limit) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    stderr.write(`tidegate: ${error.message}\n`);
    return EXIT.unusable;
  } finally {
    await closeNodes(limiters, timers);
  }
}

/** Throws where a verdict about the limit would be one about who did not ask it. */
function requireAnswers(rounds: readonly Round[]): void {
  const answers = rounds.flatMap((round) => round.answers);
  const missing = answers.filter(({ decision }) => decision.source === "fail-closed").length;
  if (missing === 0) return;
  const of = `${sayNumber(missing)} of ${sayNumber(answers.length)} checks`;
  throw new TidegateError(
    "STORE_UNAVAILABLE",
    `Redis did not answer ${of} within ${DEADLINE}, so there is nothing to hold against the limit.\n` +
      "Ask for fewer with --requests, or ask a Redis that is up.",
  );
}

function createLimit({ capacity, refill }: DemoOptions): Limit {
  try {
    return tokenBucket({ capacity, refill });
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    throw new TidegateError("INVALID_OPTION", `--${error.message}`);
  }
}

function introduce({ nodes, requests, redis }: DemoOptions, limit: Limit, paint: Paint): string {
  const who = nodes === 1 ? "One node sends" : `${nodes} nodes send`;
  const what = requests === 1 ? "one request" : `${sayNumber(requests)} requests at once`;
  const where = redis === undefined ? "in memory" : `in ${redactRedisUrl(redis)}`;
  return `  ${paint("bold", `${who} ${what}.`)} Their one limit: ${sayLimit(limit)}, counted ${where}.`;
}

interface Stage {
  readonly limit: Limit;
  readonly limiters: readonly Limiter[];
  readonly timers: Timers;
  readonly paint: Paint;
  write(text: string): unknown;
}

/** The burst, and where something was denied, the wait and a second round in which every node asks once. */
async function play(stage: Stage, requests: number): Promise<Round[]> {
  const { limiters, timers, write, paint } = stage;
  // A key of its own, so that a Redis that others share remembers nothing of an earlier run.
  const key = `demo:${randomUUID()}`;
  const first = await ask(stage, key, requests);
  const retryMs = lastRetryMs(first.answers);
  if (retryMs === undefined) return [first];
  if (retryMs > WAIT_MS_MAX) {
    write(`\n  ${paint("dim", `One more would be admitted in ${sayDuration(retryMs)}.`)}\n`);
    return [first];
  }
  write(`\n  ${paint("dim", `Waiting ${sayDuration(retryMs)}, as the last denial says …`)}\n\n`);
  await new Promise<void>((resolve) => {
    timers.after(retryMs + TIMER_EARLY_MS, resolve);
  });
  return [first, await ask(stage, key, limiters.length)];
}

/** Sends all requests at once, the nodes taking turns, and writes each answer as it comes. */
async function ask(stage: Stage, key: string, requests: number): Promise<Round> {
  const { limiters, timers, write, paint } = stage;
  const answers: { node: number; decision: Decision }[] = [];
  const startMs = timers.now();
  const all = Array.from({ length: requests }, async (_, index) => {
    const node = index % limiters.length;
    const decision = await limiters[node]!.check({ policy: POLICY, key });
    answers.push({ node, decision });
    write(`  ${sayAnswer(node, limiters.length, decision, paint)}\n`);
  });
  await Promise.all(all);
  return { answers, startMs, endMs: timers.now() };
}

function lastRetryMs(answers: Round["answers"]): number | undefined {
  const denied = answers.findLast(({ decision }) => !decision.allowed);
  return denied?.decision.retryAfterMs ?? undefined;
}
