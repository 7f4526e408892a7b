/** Runs work after a while, so that tests decide when a deadline passes. */
export interface Timer {
  /** Runs `work` once, `delayMs` from now, unless the function that it returns is called before. */
  after(delayMs: number, work: () => void): () => void;
}
