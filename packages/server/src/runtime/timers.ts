// The service's only timers and its only clock, behind an interface that tests drive by hand.

/** Runs work later and tells how much time has passed. */
export interface Timers {
  /** Returns milliseconds, with fractions, on a clock that never steps. */
  now(): number;
  /** Returns the time of day `agoMs` ago in UTC, as ISO 8601 writes it: "2027-01-31T12:00:00.000Z". For people. */
  timestamp(agoMs?: number): string;
  /** Runs `work` once after `ms`; returns what cancels it. */
  after(ms: number, work: () => void): () => void;
  /** Runs `work` every `ms`; returns what cancels it. Keeps no process alive. */
  every(ms: number, work: () => void): () => void;
  /** Runs `work` once, after everything that the current turn of the event loop has read. */
  afterTurn(work: () => void): void;
}

/** The platform's timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  timestamp: (agoMs = 0) => new Date(Date.now() - agoMs).toISOString(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
  every(ms, work) {
    const timer = setInterval(work, ms).unref();
    return () => clearInterval(timer);
  },
  afterTurn(work) {
    setImmediate(work);
  },
};
