// Lets admitted requests go when their turn has come: first come, first served for each policy and key, whatever the
// timers do. Holds nothing but the requests that wait, of which the leaky bucket's queue bounds how many there are.

import type { Decision } from "../decision.ts";
import type { Limiter } from "../limiter.ts";
import type { Timer } from "../ports/timer.ts";
import { abortable, type CallContext, checkCheck, told } from "./call-context.ts";
import { decideWhole } from "./checks.ts";

/** Creates the call. */
export function createSchedule(context: CallContext): Pick<Limiter, "schedule"> {
  const turns = new Turns(context.timer);
  return {
    async schedule(request, options) {
      const decision = await abortable(options?.signal, async () => {
        const entry = checkCheck(context, request);
        return told(context, await decideWhole(context, entry, request, true));
      });
      return turns.wait(decision, options?.signal);
    },
  };
}

interface Turn {
  ready: boolean;
  readonly go: () => void;
}

/** The requests of this process that wait for their turn. */
export class Turns {
  readonly #timer: Timer;
  readonly #queues = new Map<string, Turn[]>();

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  /** Number of requests that wait. */
  get size(): number {
    let size = 0;
    for (const queue of this.#queues.values()) size += queue.length;
    return size;
  }

  /**
   * Resolves with the decision after its delay, and not before those that came before it for the same policy and key.
   * @throws the signal's reason, where it aborts before.
   */
  wait(decision: Decision, signal: AbortSignal | undefined): Promise<Decision> {
    const name = `${decision.policy}:${decision.key}`;
    const queue = this.#queues.get(name) ?? [];
    if (!decision.allowed || (decision.delayMs === 0 && queue.length === 0)) {
      return Promise.resolve(decision);
    }
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#queues.set(name, queue);
    return new Promise((resolve, reject) => {
      const leave = () => {
        cancel();
        signal?.removeEventListener("abort", abort);
        queue.splice(queue.indexOf(turn), 1);
        if (queue.length === 0) this.#queues.delete(name);
      };
      const abort = () => {
        leave();
        reject(signal!.reason);
        letGo(queue);
      };
      const turn: Turn = {
        ready: false,
        go() {
          leave();
          resolve(decision);
        },
      };
      queue.push(turn);
      const cancel = this.#timer.after(decision.delayMs, () => {
        turn.ready = true;
        letGo(queue);
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Lets those at the front go whose time has come. */
function letGo(queue: readonly Turn[]): void {
  while (queue[0]?.ready === true) queue[0].go();
}
