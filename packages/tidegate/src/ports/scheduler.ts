/** Runs work later, so that tests decide when a turn of the event loop ends. */
export interface Scheduler {
  /** Runs `work` once, after everything that the current turn of the event loop has read. */
  afterTurn(work: () => void): void;
}
