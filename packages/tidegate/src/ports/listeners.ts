// Tells what happens in a store to everybody who uses it at the time. A telemetry that several limiters share is told
// once.

import type { Telemetry } from "./telemetry.ts";

/** The telemetries of a store's users. */
export class Listeners implements Telemetry {
  /** How many users gave each. */
  readonly #users = new Map<Telemetry, number>();

  /** Counts one more user with `telemetry`. */
  add(telemetry: Telemetry | undefined): void {
    if (telemetry === undefined) return;
    this.#users.set(telemetry, (this.#users.get(telemetry) ?? 0) + 1);
  }

  /** Counts one less; the last takes `telemetry` away. */
  remove(telemetry: Telemetry | undefined): void {
    if (telemetry === undefined) return;
    const users = (this.#users.get(telemetry) ?? 0) - 1;
    if (users > 0) this.#users.set(telemetry, users);
    else this.#users.delete(telemetry);
  }

  storeCalled(operation: string, status: "ok" | "error"): void {
    for (const telemetry of this.#users.keys()) telemetry.storeCalled?.(operation, status);
  }

  evicted(policy: string): void {
    for (const telemetry of this.#users.keys()) telemetry.evicted?.(policy);
  }

  overflowed(policy: string): void {
    for (const telemetry of this.#users.keys()) telemetry.overflowed?.(policy);
  }
}
