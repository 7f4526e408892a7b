// What the checks look at: one configuration in a scenario.

import type { CheckedConfiguration } from "../check-configurations.ts";
import type { CheckedScenario } from "../check-scenario.ts";

/** A configuration in a scenario that began at an instant. */
export interface Subject {
  readonly scenario: CheckedScenario;
  readonly configuration: CheckedConfiguration;
  readonly startUs: number;
}

/** Says a count: "0 keys", "1 key", "12,727 keys". */
export function sayCount(count: number, what: string): string {
  return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
}

/** Says units: "1 unit", "2.5 units". */
export function sayUnits(units: number): string {
  const rounded = Number(units.toFixed(2));
  return `${rounded.toLocaleString("en-US")} unit${rounded === 1 ? "" : "s"}`;
}
