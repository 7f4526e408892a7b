/** Tells the time. Only runtime/ implements it on the real clock; tests advance one by hand. */
export interface Clock {
  /** Returns integer microseconds since the Unix epoch. It may step back; nothing here breaks when it does. */
  now(): number;
}
