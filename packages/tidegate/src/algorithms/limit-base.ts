// What every limit has, whatever its algorithm.

/** The part of a limit that is the same for all algorithms. */
export interface LimitBase {
  /** Name in decisions and headers; left out, it is derived from the policy's. */
  readonly name: string | undefined;
  /** The most units: capacity, count or permits. */
  readonly limit: number;
  /** Microseconds until all of it is as if never used, at most; of a calendar window about that. */
  readonly windowUs: number;
  /** Whether it only flags what goes beyond it. */
  readonly soft: boolean;
  /**
   * Names what the numbers of a state mean, in letters, digits, and `, / _ + . -`. States written under the same rule
   * need no conversion; `limit`, `name` and `soft` are not part of it.
   */
  readonly rule: string;
  /** How many numbers its state takes. All zero is the state of a key never seen. */
  readonly width: number;
}
