// Gives back what a request was charged where its response says so, once that is over. Nobody waits for it, and where
// it fails the units stay charged.

import type { Held, Limiter } from "../limiter.ts";
import { show } from "../policy/options.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Asks `wants` once the exchange is over, and settles the charge to nothing where it answers true.
 * @param charged names the charge by the id it was made under. So it is given back once, and to the window in which it
 * was taken: those of a window that is over have come back by themselves.
 * @param report is told where `wants` threw, or answered neither true nor false.
 */
export function refundOnceOver(
  limiter: Limiter,
  charged: Held,
  exchange: Exchange,
  wants: () => unknown,
  report: (message: string) => void,
): void {
  exchange.onceOver(() => {
    let answer: unknown;
    try {
      answer = wants();
    } catch (error) {
      report(
        `refundWhen threw ${error instanceof Error ? error.message : show(error)}. ${NOTHING}`,
      );
      return;
    }
    if (answer === true) {
      limiter.settle(charged, 0).catch(() => {});
    } else if (answer !== false) {
      report(
        `refundWhen must answer true or false at once, and answered ${show(answer)}. ${NOTHING}`,
      );
      // Of an async function, whose rejection would end the process.
      Promise.resolve(answer).catch(() => {});
    }
  });
}

const NOTHING = "The request was answered, and nothing was refunded for it.";
