// One contender in a process of its own, so that its heap and compiled code are nobody else's. The parent asks for one
// measurement at a time, contender by contender, round by round: they never run at once.

import { type ChildProcess, fork } from "node:child_process";
import type { Profile } from "../report/section.ts";

/** A process that measures when asked. */
export interface Contender {
  readonly name: string;
  /** What it said when it was ready. */
  readonly info: Readonly<Record<string, number>>;
  /** Runs one measurement; what comes back is the child's to define. */
  measure(request?: Readonly<Record<string, unknown>>): Promise<Record<string, number>>;
  /** Runs one measurement under the profiler. */
  profile(request?: Readonly<Record<string, unknown>>): Promise<Profile>;
  stop(): Promise<void>;
}

/** What a child sends. */
export type Answer =
  | { readonly kind: "ready"; readonly info: Record<string, number> }
  | { readonly kind: "result"; readonly result: Record<string, number> }
  | { readonly kind: "profile"; readonly lines: Profile["lines"] }
  | { readonly kind: "failed"; readonly message: string };

/** Starts `file` with `args`, and waits until it is ready. */
export async function startContender(
  name: string,
  file: URL,
  args: readonly string[],
): Promise<Contender> {
  const child = fork(file, [...args], {
    execArgv: ["--conditions=@tidegate/source", "--expose-gc"],
  });
  const ready = await answerOf(child, "ready");
  return {
    name,
    info: ready.info,
    async measure(request = {}) {
      const answer = answerOf(child, "result");
      child.send({ ...request, kind: "measure" });
      return (await answer).result;
    },
    async profile(request = {}) {
      const answer = answerOf(child, "profile");
      child.send({ ...request, kind: "profile" });
      return { contender: name, lines: (await answer).lines };
    },
    stop() {
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
      child.kill("SIGKILL");
      return exited;
    },
  };
}

/** Measures all contenders in turn, `rounds` times. Returns their results in the order of the contenders. */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  request: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, number>[][]> {
  const results = contenders.map((): Record<string, number>[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      results[index]!.push(await contender.measure(request));
    }
  }
  return results;
}

function answerOf<K extends Answer["kind"]>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<Answer, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: Answer) => {
      done();
      if (answer.kind === kind) resolve(answer as Extract<Answer, { kind: K }>);
      else reject(new Error(answer.kind === "failed" ? answer.message : `got ${answer.kind}`));
    };
    const onExit = (code: number | null) => {
      done();
      reject(new Error(`${child.spawnargs.join(" ")} ended with ${code}`));
    };
    const done = () => {
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}
