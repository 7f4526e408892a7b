// Watches what is held, from outside: from when a permit was answered until it is given back or its lease can be over.

import assert from "node:assert/strict";

/** What a step of a clock that is being set may make of a lease, in milliseconds. */
const CLOCK_MS = 10;

/** One permit that is held. */
export interface Hold {
  /** Says what extending it, asked for at `askedMs`, was answered; throws where it was lost before its time. */
  extended(held: boolean, askedMs: number): void;
  /** Says that it is about to be given back. */
  ending(): void;
  /** Says what giving it back was answered; throws where it was lost before its time. */
  ended(held: boolean): void;
}

/** The permits of one policy key, of which at most `limit` units are held at once. */
export class Holds {
  readonly #limit: number;
  readonly #leaseMs: number;
  readonly #holds = new Set<{ readonly cost: number; until: number }>();

  constructor(limit: number, leaseMs: number) {
    this.#limit = limit;
    this.#leaseMs = leaseMs;
  }

  /** Says that a permit was answered that was asked for at `askedMs`; throws where more are held than there may be. */
  begin(cost: number, askedMs: number): Hold {
    const hold = { cost, until: this.#endOf(askedMs) };
    this.#holds.add(hold);
    this.#check();
    const kept = (held: boolean) => {
      const early = Math.ceil(hold.until - performance.now());
      assert.ok(held || early <= 0, `a permit was lost ${early} ms before its lease ended`);
    };
    return {
      extended: (held, askedAgainMs) => {
        kept(held);
        if (held) hold.until = this.#endOf(askedAgainMs);
        this.#check();
      },
      ending: () => this.#holds.delete(hold),
      ended: kept,
    };
  }

  #endOf(askedMs: number): number {
    return askedMs + this.#leaseMs - CLOCK_MS;
  }

  #check(): void {
    const now = performance.now();
    let units = 0;
    for (const { cost, until } of this.#holds) if (until > now) units += cost;
    assert.ok(units <= this.#limit, `${units} of ${this.#limit} units are held at once`);
  }
}
