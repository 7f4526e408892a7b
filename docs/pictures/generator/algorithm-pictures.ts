// The pictures of docs/algorithms.md, one for each algorithm.

import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { drawPicture, type Span } from "./draw-picture.ts";
import { LIMIT, OFFERED, RATE, SHOWN_MS, WINDOW_MS } from "./offered.ts";
import { busiestSpan, type Run, runAlgorithm } from "./run-algorithm.ts";

interface Subject {
  readonly name: string;
  readonly title: string;
  /** As it is written. */
  readonly written: string;
  readonly limit: Limit;
  /** Where windows lie. */
  readonly windows: readonly Span[];
  readonly startMs?: number;
}

const seconds = (ms: number) => `${ms / 1_000} s`;
const window = seconds(WINDOW_MS).replace(" ", "");

const ALIGNED: readonly Span[] = Array.from({ length: SHOWN_MS / WINDOW_MS }, (_, index) => {
  return { fromMs: index * WINDOW_MS, toMs: (index + 1) * WINDOW_MS, label: "" };
});

/** The last seconds of a Saturday in Berlin, before a Sunday on which clocks go forward. */
const BEFORE_MIDNIGHT_MS = Date.UTC(2026, 2, 28, 23) - WINDOW_MS;
const DAYS: readonly Span[] = [
  { fromMs: 0, toMs: WINDOW_MS, label: "Saturday" },
  { fromMs: WINDOW_MS, toMs: SHOWN_MS, label: "Sunday, in Berlin" },
];

const SUBJECTS: readonly Subject[] = [
  {
    name: "token-bucket",
    title: "Token bucket",
    written: `tokenBucket({ capacity: ${LIMIT}, refill: "${RATE}" })`,
    limit: tokenBucket({ capacity: LIMIT, refill: RATE }),
    windows: [],
  },
  {
    name: "fixed-window",
    title: "Fixed window",
    written: `fixedWindow({ limit: ${LIMIT}, window: "${window}" })`,
    limit: fixedWindow({ limit: LIMIT, window: WINDOW_MS }),
    windows: ALIGNED,
  },
  {
    name: "sliding-window",
    title: "Sliding window",
    written: `slidingWindow({ limit: ${LIMIT}, window: "${window}" })`,
    limit: slidingWindow({ limit: LIMIT, window: WINDOW_MS }),
    windows: ALIGNED,
  },
  {
    name: "sliding-log",
    title: "Sliding log",
    written: `slidingLog({ limit: ${LIMIT}, window: "${window}" })`,
    limit: slidingLog({ limit: LIMIT, window: WINDOW_MS }),
    windows: [],
  },
  {
    name: "leaky-bucket",
    title: "Leaky bucket",
    written: `leakyBucket({ rate: "${RATE}", queue: ${LIMIT - 1} })`,
    limit: leakyBucket({ rate: RATE, queue: LIMIT - 1 }),
    windows: [],
  },
  {
    name: "calendar-window",
    title: "Calendar window",
    written: `calendarWindow({ limit: ${LIMIT}, per: "day", timeZone: "Europe/Berlin" })`,
    limit: calendarWindow({ limit: LIMIT, per: "day", timeZone: "Europe/Berlin" }),
    windows: DAYS,
    startMs: BEFORE_MIDNIGHT_MS,
  },
  {
    name: "concurrency",
    title: "Concurrency",
    written: `concurrency({ limit: ${LIMIT}, lease: "${window}" })`,
    limit: concurrency({ limit: LIMIT, lease: WINDOW_MS }),
    windows: [],
  },
];

/** Makes all pictures, by the name of their files. The same bytes each time. */
export async function algorithmPictures(): Promise<Map<string, string>> {
  const pictures = new Map<string, string>();
  for (const subject of SUBJECTS) {
    const run = await runAlgorithm(subject.limit, subject.startMs);
    pictures.set(`${subject.name}.svg`, picture(subject, run));
  }
  return pictures;
}

function picture({ title, written, limit, windows, name }: Subject, run: Run): string {
  const holds = limit.algorithm === "concurrency";
  const admitted = run.answered.filter(({ allowed }) => allowed).length;
  const busiest = busiestSpan(run);
  const longestMs = Math.max(...run.answered.map(({ atMs, goesAtMs }) => goesAtMs - atMs));
  const summary = [
    `admits ${admitted} of ${run.answered.length}`,
    ...(longestMs > 0 ? [`the longest wait is ${seconds(longestMs)}`] : []),
    ...(name === "calendar-window" ? [`that Sunday has ${hours(run)}`] : []),
    ...(holds ? [] : [`${busiest.count} go in the busiest ${seconds(WINDOW_MS)}`]),
    ...(holds ? [`at most ${mostHeld(run)} held at once`, "every fifth holder crashes"] : []),
  ].join("; ");
  return drawPicture({
    title,
    written,
    summary,
    description: `${OFFERED}. ${written} ${summary}.`,
    run,
    windows,
    holds,
    span: holds
      ? { fromMs: firstCrashMs(run), toMs: firstCrashMs(run) + WINDOW_MS, label: "a lease" }
      : {
          fromMs: busiest.fromMs,
          toMs: busiest.fromMs + WINDOW_MS,
          label: `${busiest.count} in ${seconds(WINDOW_MS)}`,
        },
  });
}

/** How long the window is that the last request came in, as its answer says. */
function hours(run: Run): string {
  const lastMs = run.answered.at(-1)!.atMs;
  return `${Math.round((run.resetAfterMs + lastMs - WINDOW_MS) / 3_600_000)} h`;
}

function mostHeld(run: Run): number {
  return LIMIT - Math.min(...run.remaining.map(({ units }) => units));
}

function firstCrashMs(run: Run): number {
  return run.orphaned.find(({ units }) => units > 0)!.atMs;
}
