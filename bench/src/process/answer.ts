// The child's side of a contender: measures when the parent asks, and profiles itself on demand.

import { type Profiler, Session } from "node:inspector/promises";
import { basename } from "node:path";
import type { Answer } from "./contender.ts";

/** What the parent may ask with. */
export type Request = Readonly<Record<string, unknown>>;

/** Says that the child is ready and answers every request with `measure`. The process ends with its parent. */
export function answerMeasurements(
  info: Record<string, number>,
  measure: (request: Request) => Promise<Record<string, number>>,
): void {
  process.on("disconnect", () => process.exit());
  process.on("message", (request: Request) => {
    const answer =
      request.kind === "profile" ? profiled(measure, request) : measured(measure, request);
    answer.then(send, (error: unknown) => {
      send({
        kind: "failed",
        message: error instanceof Error ? (error.stack ?? "") : String(error),
      });
    });
  });
  send({ kind: "ready", info });
}

async function measured(
  measure: (request: Request) => Promise<Record<string, number>>,
  request: Request,
): Promise<Answer> {
  return { kind: "result", result: await measure(request) };
}

const LINES = 12;

async function profiled(
  measure: (request: Request) => Promise<Record<string, number>>,
  request: Request,
): Promise<Answer> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
  await measure(request);
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return { kind: "profile", lines: topLines(profile) };
}

function topLines(profile: Profiler.Profile) {
  const own = new Map<number, number>();
  let total = 0;
  profile.samples?.forEach((id, index) => {
    const microseconds = profile.timeDeltas?.[index] ?? 0;
    own.set(id, (own.get(id) ?? 0) + microseconds);
    total += microseconds;
  });
  const byFunction = new Map<string, number>();
  for (const node of profile.nodes) {
    const { functionName, url, lineNumber } = node.callFrame;
    const name = functionName === "" ? "(anonymous)" : functionName;
    const where = url === "" ? name : `${name} ${basename(url)}:${lineNumber + 1}`;
    byFunction.set(where, (byFunction.get(where) ?? 0) + (own.get(node.id) ?? 0));
  }
  return [...byFunction]
    .map(([where, microseconds]) => ({ where, share: (100 * microseconds) / total }))
    .sort((a, b) => b.share - a.share)
    .slice(0, LINES);
}

function send(answer: Answer): void {
  process.send!(answer);
}
