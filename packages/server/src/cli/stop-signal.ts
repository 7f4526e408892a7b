// SIGINT, SIGTERM and SIGHUP (a terminal that was closed): the first asks to stop, the second stops at once.

import { systemTimers, type Timers } from "../runtime/timers.ts";
import { EXIT } from "./context.ts";

/** npm passes Ctrl-C on to a process that the terminal has sent it to already; so close together, two are one. */
const SAME_KEYPRESS_MS = 250;

/** What signals come from and what ends the process. */
export interface SignalPorts {
  readonly on: (signal: "SIGINT" | "SIGTERM" | "SIGHUP", handler: () => void) => void;
  readonly exit: (code: number) => void;
  readonly timers: Pick<Timers, "now">;
}

const PROCESS: SignalPorts = {
  on: (signal, handler) => process.on(signal, handler),
  exit: (code) => process.exit(code),
  timers: systemTimers,
};

/** Listens from now on; resolves with the first signal. A second one ends the process with code 1. */
export function stopSignal({ on, exit, timers }: SignalPorts = PROCESS): Promise<void> {
  return new Promise((resolve) => {
    let first: { readonly signal: string; readonly atMs: number } | undefined;
    const handle = (signal: string) => {
      const nowMs = timers.now();
      if (first === undefined) {
        first = { signal, atMs: nowMs };
        resolve();
      } else if (signal !== first.signal || nowMs - first.atMs > SAME_KEYPRESS_MS) {
        exit(EXIT.failed);
      }
    };
    on("SIGINT", () => handle("SIGINT"));
    on("SIGTERM", () => handle("SIGTERM"));
    on("SIGHUP", () => handle("SIGHUP"));
  });
}
