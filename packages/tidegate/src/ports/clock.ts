/** Tells the time. Only runtime/ implements it on the real clock; tests advance one by hand. */
export interface Clock {
  /** Returns integer microseconds since the Unix epoch. It may step back; nothing here breaks when it does. */
  now(): number;
  /**
   * Returns integer microseconds since some instant, for durations: it never steps back, and steps forward only where
   * time has passed that nobody saw. Left out, durations are those of now(), without its steps back.
   */
  steady?(): number;
}

/** A clock that tells durations. */
export type SteadyClock = Required<Clock>;
