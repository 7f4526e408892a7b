/** Draws random numbers, so that a simulation can seed them. */
export interface Random {
  /** Returns a number from 0 (included) to 1 (excluded). */
  next(): number;
}
