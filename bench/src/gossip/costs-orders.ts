// What the load is ordered under which gossip is weighed, and what it reports.

/** Ask for every key, so many times a second. */
export interface CostsOrder {
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly keys: number;
  readonly times: number;
  /** Whether on every service; else on one, drawn anew for each second. */
  readonly onAll: boolean;
  readonly seconds: number;
  readonly seed: number;
}

/** What came of it. */
export interface CostsReport {
  /** Requests that were answered. */
  readonly answered: number;
  /** How late a call was made, at worst, in milliseconds. */
  readonly latestMs: number;
}
