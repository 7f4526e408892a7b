// Asks a limiter about an HTTP request in the way that its policy needs: by a check, by waiting for its turn, or for a
// permit that is held as long as the response takes. It knows no framework, and answers nobody.

import type { Decision } from "../decision.ts";
import type { CheckRequest, Limiter, PolicyDescription } from "../limiter.ts";
import type { Exchange } from "./exchange.ts";

/** What is asked; all of it is known by then. */
export type Question = CheckRequest & Required<Pick<CheckRequest, "policy" | "cost">>;

/** Whether a policy, described for whatever key, is one to acquire permits of. */
export function holdsPermits({ limits }: PolicyDescription): boolean {
  return limits.some(({ algorithm }) => algorithm === "concurrency");
}

/**
 * Asks, and where admitted resolves when the request may go on: after its delay, and with its permit. What costs
 * nothing waits for nothing and holds nothing.
 * @param description what holds for the key.
 * @returns undefined where nobody is left to answer, and so the request is not to go on; only for policies that make
 * it wait or hold a permit.
 */
export function askLimiter(
  limiter: Limiter,
  question: Question,
  description: PolicyDescription,
  exchange: Exchange,
): Promise<Decision | undefined> {
  const looks = question.cost === 0;
  // A key without limits of its own still is acquired, so it is the policy that says which call it is.
  if (holdsPermits(limiter.describe(question.policy))) {
    return looks ? limiter.peek(question) : whileItLasts(limiter, question, exchange);
  }
  const queues = description.limits.some(({ algorithm }) => algorithm === "leaky-bucket");
  return queues && !looks ? inTurn(limiter, question, exchange) : limiter.check(question);
}

/** Waits for the request's turn, and no longer than somebody waits for the response. */
async function inTurn(
  limiter: Limiter,
  question: Question,
  exchange: Exchange,
): Promise<Decision | undefined> {
  const gone = new AbortController();
  const forget = exchange.onceOver(() => {
    if (exchange.abandoned()) gone.abort();
  });
  try {
    return await limiter.schedule(question, { signal: gone.signal });
  } catch (error) {
    if (gone.signal.aborted && error === gone.signal.reason) return undefined;
    throw error;
  } finally {
    forget();
  }
}

/**
 * Holds a permit until the exchange is over, and resolves when it is had. The call is not aborted where the client
 * goes away meanwhile: the permit would be had then by nobody who gives it back.
 */
function whileItLasts(
  limiter: Limiter,
  question: Question,
  exchange: Exchange,
): Promise<Decision | undefined> {
  if (exchange.abandoned()) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const held = limiter.withPermit(question, (permit) => {
      resolve(exchange.abandoned() ? undefined : permit);
      return new Promise<void>((over) => {
        exchange.onceOver(over);
      });
    });
    // Resolves what is not yet: with a denial.
    held.then(({ permit }) => resolve(permit), reject);
  });
}
