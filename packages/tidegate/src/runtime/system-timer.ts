import type { Timer } from "../ports/timer.ts";

/** The platform's timer. It keeps the process alive, for somebody waits for what it ends; so cancel it. */
export const systemTimer: Timer = {
  after(delayMs, work) {
    const timer = setTimeout(work, delayMs);
    return () => clearTimeout(timer);
  },
};
