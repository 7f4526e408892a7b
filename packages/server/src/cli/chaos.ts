// `tidegate demo --chaos`: nodes ask a Redis that is killed, started anew, frozen and let go on before the reader's
// eyes, and three policies show how they do without it. Nothing of it is left behind.

import { randomUUID } from "node:crypto";
import { type Limiter, TidegateError } from "tidegate";
import { systemTimers, type Timers } from "../runtime/timers.ts";
import { LINE_WIDTH, type Part, sayHeader, sayParts, saySecond, UP } from "./chaos-report.ts";
import {
  addTally,
  CHECKS_PER_SECOND,
  type Circuits,
  createTally,
  policiesFor,
  startTraffic,
  type Tally,
  type Traffic,
  watchCircuits,
} from "./chaos-traffic.ts";
import { type Context, EXIT, type Output } from "./context.ts";
import { cutConnectionsTo } from "./cut-redis.ts";
import { closeNodes, openNodes } from "./demo-nodes.ts";
import { type FailingRedis, startOwnRedis } from "./failing-redis.ts";
import { createPaint, type Paint } from "./paint.ts";
import { stopSignal } from "./stop-signal.ts";
import { sayDuration } from "./words.ts";

/** What to show. */
export interface ChaosOptions {
  /** Left out: one is started. */
  readonly redis?: string;
  readonly nodes: number;
  readonly seconds: number;
}

type Act = "kill" | "revive" | "freeze" | "thaw";

/** What is done, and after which share of the time. */
const SCHEDULE: readonly { readonly at: number; readonly does: Act }[] = [
  { at: 0.25, does: "kill" },
  { at: 0.5, does: "revive" },
  { at: 0.7, does: "freeze" },
  { at: 0.85, does: "thaw" },
];
const DEADLINE_MS = 50;

/** Shows it until it is over or stopped; returns 0, or 2 where there is no Redis to show it with. */
export async function chaos(
  options: ChaosOptions,
  context: Context,
  timers: Timers = systemTimers,
  stopped: Promise<void> = stopSignal(),
): Promise<number> {
  const { stdout, stderr, environment } = context;
  let redis: FailingRedis | undefined;
  let limiters: Limiter[] = [];
  try {
    redis =
      options.redis === undefined
        ? await startOwnRedis(environment, timers)
        : await cutConnectionsTo(options.redis);
    const screen = createScreen(stdout, createPaint(stdout, environment));
    const circuits = watchCircuits(options.nodes, () => screen.refresh());
    limiters = await openNodes(
      {
        redis: redis.url,
        shownAs: options.redis ?? redis.url,
        without: "Without --redis the demo starts one.",
        nodes: options.nodes,
      },
      policiesFor(options.nodes),
      timers,
      circuits.telemetryOf,
    );
    screen.write(introduce(options, redis, screen.paint));
    await play({ redis, limiters, circuits, timers, screen, stopped, seconds: options.seconds });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    stderr.write(`tidegate: ${error.message}\n`);
    return EXIT.unusable;
  } finally {
    await closeNodes(limiters, timers);
    const said = await redis?.close();
    if (said !== undefined && limiters.length > 0) stdout.write(`  ${said}\n`);
  }
}

function introduce({ nodes, seconds }: ChaosOptions, redis: FailingRedis, paint: Paint): string {
  const checks = CHECKS_PER_SECOND * nodes;
  const who = nodes === 1 ? "One node asks" : `${nodes} nodes ask`;
  return (
    `\n  ${paint("bold", `${who} one Redis that will fail`)}: ${redis.name}.\n` +
    `  ${checks} checks a second of each of three policies, each with a limit of ${checks / 2} a second. They\n` +
    `  differ in onStoreFailure, which answers where Redis does not within ${DEADLINE_MS} ms: allow, deny, and\n` +
    `  local, by each node's share of the limit. ${sayDuration(seconds * 1_000)}; Ctrl-C stops it.\n\n` +
    sayHeader(paint)
  );
}

interface Stage {
  readonly redis: FailingRedis;
  readonly limiters: readonly Limiter[];
  readonly circuits: Circuits;
  readonly timers: Timers;
  readonly screen: Screen;
  readonly stopped: Promise<void>;
  readonly seconds: number;
}

/** Runs the traffic and the schedule, and says in the end what came of them. */
async function play(stage: Stage): Promise<void> {
  const { redis, limiters, circuits, timers, screen, seconds } = stage;
  const recoveries: number[] = [];
  let state: string = UP;
  let backMs: number | undefined;
  const startedMs = timers.now();
  const traffic = startTraffic(limiters, `chaos:${randomUUID()}`, timers, ({ source }) => {
    if (source !== "store" || backMs === undefined) return;
    recoveries.push(timers.now() - backMs);
    backMs = undefined;
  });
  const book = createBook(traffic, timers);
  const cancel = timers.every(1_000, () => {
    const tally = book.endSecond();
    const second = Math.round((timers.now() - startedMs) / 1_000);
    screen.showLine((paint) => saySecond(second, state, circuits.states(), tally, paint));
  });
  try {
    const until = createPause(stage, startedMs);
    for (const { at, does } of SCHEDULE) {
      if (!(await until(at * seconds * 1_000))) break;
      book.endPart(state);
      backMs = undefined;
      state = does === "kill" || does === "freeze" ? redis.states[does] : UP;
      screen.say(await redis[does]());
      if (state === UP) backMs = timers.now();
    }
    await until(seconds * 1_000);
  } finally {
    cancel();
    await traffic.stop();
  }
  book.endPart(state);
  screen.write(`\n${sayParts(book.parts, screen.paint)}\n`);
  for (const recoveryMs of recoveries) {
    screen.write(`  Redis decided again ${sayDuration(recoveryMs)} after it was back.\n`);
  }
}

/** Keeps what was counted, by seconds and by parts, of which neither ends with the other. */
function createBook(traffic: Traffic, timers: Timers) {
  const parts: Part[] = [];
  let second = createTally();
  let part = createTally();
  let partStartedMs = timers.now();
  const take = () => {
    const taken = traffic.take();
    addTally(second, taken);
    addTally(part, taken);
  };
  return {
    parts,
    endSecond(): Tally {
      take();
      const ended = second;
      second = createTally();
      return ended;
    },
    endPart(redis: string): void {
      take();
      const nowMs = timers.now();
      parts.push({ redis, tally: part, seconds: (nowMs - partStartedMs) / 1_000 });
      part = createTally();
      partStartedMs = nowMs;
    },
  };
}

/** Creates what waits until so long after the start, and answers whether nobody stopped it meanwhile. */
function createPause({ timers, stopped }: Stage, startedMs: number) {
  let isStopped = false;
  const stop = stopped.then(() => {
    isStopped = true;
  });
  return async (ms: number): Promise<boolean> => {
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      cancel = timers.after(Math.max(startedMs + ms - timers.now(), 0), resolve);
    });
    await Promise.race([over, stop]);
    cancel();
    return !isStopped;
  };
}

/** Where lines are written: one below the other, or on a terminal that is wide enough, the last one in place. */
interface Screen {
  readonly paint: Paint;
  write(text: string): void;
  /** Writes an event, which stays. */
  say(sentence: string): void;
  showLine(line: (paint: Paint) => string): void;
  /** Writes the last line anew, where it is still to be changed. */
  refresh(): void;
}

function createScreen(output: Output, paint: Paint): Screen {
  const live = output.isTTY === true && (output.columns ?? 0) > LINE_WIDTH;
  let last: ((paint: Paint) => string) | undefined;
  const clear = () => {
    if (last !== undefined) output.write("\r\u001b[2K");
    last = undefined;
  };
  return {
    paint,
    write(text) {
      if (live) clear();
      output.write(text);
    },
    say(sentence) {
      if (live && last !== undefined) output.write("\n");
      last = undefined;
      output.write(`  ${paint("yellow", "*")} ${paint("bold", sentence)}\n`);
    },
    showLine(line) {
      if (live) clear();
      output.write(live ? line(paint) : `${line(paint)}\n`);
      if (live) last = line;
    },
    refresh() {
      if (last === undefined) return;
      const line = last;
      clear();
      output.write(line(paint));
      last = line;
    },
  };
}
