import type { LeaseBack } from "../ports/store.ts";

/** What is left of one lease. */
export interface Tranche {
  units: number;
  /** By this node's clock, in microseconds: when it was asked for. Before that the clock was stepped back. */
  readonly from: number;
  /** Microseconds from then on for which it may be spent. */
  readonly lastsUs: number;
  /** Microseconds from then on after which the next is asked for, whatever is left of this one. */
  readonly renewUs: number;
  /** Microseconds from then on after which its units have returned by themselves, if nobody else takes any. */
  readonly returnsUs: number;
  /** How it is given back. */
  readonly back: Omit<LeaseBack, "units">;
}

/** A tranche that has been spent. */
export const SPENT: Tranche = Object.freeze({
  units: 0,
  from: 0,
  lastsUs: 0,
  renewUs: Number.POSITIVE_INFINITY,
  returnsUs: 0,
  back: { takenAt: 0, receipt: { cost: 0, units: [], marks: [] } },
});

/** Whether it may be spent. */
export function isAlive({ from, lastsUs }: Tranche, now: number): boolean {
  const age = now - from;
  return age >= 0 && age < lastsUs;
}
