import type { Timer } from "../ports/timer.ts";

/** The longest delay of setTimeout, which takes a longer one for none at all. */
const LONGEST_MS = 2 ** 31 - 1;

/** The platform's timer. It keeps the process alive, for somebody waits for what it ends; so cancel it. */
export const systemTimer: Timer = {
  after(delayMs, work) {
    let leftMs = delayMs;
    let timer: ReturnType<typeof setTimeout>;
    const wait = () => {
      const stepMs = Math.min(leftMs, LONGEST_MS);
      leftMs -= stepMs;
      timer = setTimeout(leftMs > 0 ? wait : work, stepMs);
    };
    wait();
    return () => clearTimeout(timer);
  },
};
