// How far something is, on a terminal: one line that is written again and again. Elsewhere nothing.

import type { Output } from "./context.ts";

const WIDTH = 30;

/** Shows how far something is. */
export interface ProgressBar {
  /** @param done 0 to 1. */
  show(done: number, what: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** Creates a progress bar. */
export function createProgressBar(output: Output): ProgressBar {
  if (output.isTTY !== true) return { show() {}, clear() {} };
  let last = "";
  return {
    show(done, what) {
      const filled = Math.round(done * WIDTH);
      const bar = `${"█".repeat(filled)}${"░".repeat(WIDTH - filled)}`;
      const line = `  ${bar} ${String(Math.floor(done * 100)).padStart(3)} %  ${what}`;
      const shown = line.slice(0, (output.columns ?? 80) - 1);
      if (shown === last) return;
      last = shown;
      output.write(`\r\u001b[2K${shown}`);
    },
    clear() {
      if (last !== "") output.write("\r\u001b[2K");
      last = "";
    },
  };
}
