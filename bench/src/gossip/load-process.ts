// The parent's side of a load: a process that says when it is ready, is given an order, and reports.

import { type ChildProcess, fork } from "node:child_process";

/** A load that runs. */
export interface Load<Report> {
  readonly report: Promise<Report>;
  send(message: object): void;
  kill(): void;
}

/** Starts a load, and resolves when it has begun to ask. */
export async function startLoad<Report>(file: URL, order: object): Promise<Load<Report>> {
  const child = fork(file, [], {
    execArgv: ["--conditions=@tidegate/source"],
    serialization: "advanced",
  });
  const kill = () => void child.kill("SIGKILL");
  try {
    await nextMessage(child);
    const started = nextMessage(child);
    child.send(order);
    await started;
  } catch (error) {
    kill();
    throw error;
  }
  const report = nextMessage(child) as Promise<Report>;
  // Whoever ends the load before its report does not wait for it.
  report.catch(() => undefined);
  return { report, send: (message) => void child.send(message), kill };
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the load ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (value) => {
      child.off("exit", ended);
      resolve(value);
    });
  });
}
