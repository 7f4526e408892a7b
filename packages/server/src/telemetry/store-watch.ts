// Watches whether the store answers: one light ping at a time. What readiness and the log say of the store follows it;
// requests never wait for it.

import type { Timers } from "../runtime/timers.ts";

/** How often the store is asked. */
export const PING_EVERY_MS = 1_000;
/** How long an answer may take. */
export const PING_DEADLINE_MS = 1_000;
/** A ping that has not settled after so long is given up, and another one sent. */
const PING_ABANDONED_MS = 5_000;

/** "unknown" until the first ping has settled or missed its deadline. */
export type StoreState = "unknown" | "reachable" | "unavailable";

/** A watch that runs. */
export interface StoreWatch {
  readonly state: StoreState;
  /** Asks the store, or joins the question that is under way; false where it gives no answer in time. */
  check(): Promise<boolean>;
  stop(): void;
}

/** What a watch is made of. */
export interface StoreWatchOptions {
  /** Resolves where the store can decide. */
  readonly ping: () => Promise<void>;
  readonly timers: Timers;
  /** Is told of each change, with what the ping rejected with, if it did. */
  readonly changed: (state: StoreState, cause: unknown) => void;
}

/** Starts to watch; the first ping goes out at once. */
export function watchStore({ ping, timers, changed }: StoreWatchOptions): StoreWatch {
  let state: StoreState = "unknown";
  let stopped = false;
  let lastPing = 0;
  let pending: { readonly answer: Promise<boolean>; readonly sentMs: number } | undefined;

  function become(next: StoreState, cause: unknown): void {
    if (stopped || next === state) return;
    state = next;
    changed(next, cause);
  }

  async function send(id: number): Promise<boolean> {
    let cause: unknown;
    let reachable = true;
    try {
      await ping();
    } catch (error) {
      cause = error;
      reachable = false;
    }
    // An answer to a ping that was given up says nothing about now.
    if (id === lastPing) {
      pending = undefined;
      become(reachable ? "reachable" : "unavailable", cause);
    }
    return reachable;
  }

  function withDeadline(answer: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      let cancel = timers.after(PING_DEADLINE_MS, () => {
        // A process that was paused sees the deadline before the answer that lies in its socket: let it be read first.
        cancel = timers.after(1, () => {
          become("unavailable", new Error(`no answer within ${PING_DEADLINE_MS} ms`));
          resolve(false);
        });
      });
      answer.then((reachable) => {
        cancel();
        resolve(reachable);
      });
    });
  }

  function check(): Promise<boolean> {
    const sentMs = timers.now();
    if (pending !== undefined && sentMs - pending.sentMs < PING_ABANDONED_MS) return pending.answer;
    lastPing += 1;
    pending = { answer: withDeadline(send(lastPing)), sentMs };
    return pending.answer;
  }

  const cancel = timers.every(PING_EVERY_MS, () => {
    check();
  });
  check();
  return {
    get state() {
      return state;
    },
    check,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
