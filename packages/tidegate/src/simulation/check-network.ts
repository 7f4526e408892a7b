// Checks what is given of a network, at the beginning of a scenario and as a fault.

import type { NumberBounds, OptionReader } from "./option-reader.ts";
import type { LinkOptions, NetworkOptions } from "./scenario.ts";

/** A network, complete. */
export interface CheckedNetwork extends Required<Omit<NetworkOptions, "betweenRegions">> {
  readonly betweenRegions: Required<LinkOptions>;
}

/** Options of a network, for faults as well. */
export const NETWORK_OPTIONS: readonly string[] = [
  ...["latencyMs", "jitterMs", "loss", "duplication", "reordering", "reorderingMs"],
  "betweenRegions",
];

const LINK_OPTIONS = ["latencyMs", "jitterMs", "loss"];

export const DEFAULT_NETWORK: CheckedNetwork = {
  latencyMs: 0.25,
  jitterMs: 0.1,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderingMs: 200,
  betweenRegions: { latencyMs: 40, jitterMs: 2, loss: 0 },
};

const MILLISECONDS: NumberBounds = { least: 0, most: 60_000 };
const PART: NumberBounds = { least: 0, most: 1 };

/** Checks what is given, and leaves out what is not. */
export function checkNetworkOptions(
  reader: OptionReader,
  field: string,
  options: NetworkOptions,
): NetworkOptions {
  const { betweenRegions } = options;
  const between = `${field}.betweenRegions`;
  const hasBetween =
    betweenRegions !== undefined && reader.isObject(between, betweenRegions, LINK_OPTIONS);
  return {
    ...checkNumbers(reader, field, options),
    ...(hasBetween ? { betweenRegions: checkNumbers(reader, between, betweenRegions) } : {}),
  };
}

/** Completes what is given by what holds where it is left out. */
export function completeNetwork(standard: CheckedNetwork, given: NetworkOptions): CheckedNetwork {
  const betweenRegions = { ...standard.betweenRegions, ...given.betweenRegions };
  return { ...standard, ...given, betweenRegions };
}

function checkNumbers(reader: OptionReader, field: string, options: object): object {
  const numbers = Object.entries(options).filter(([name]) => {
    return name !== "betweenRegions" && NETWORK_OPTIONS.includes(name);
  });
  return Object.fromEntries(
    numbers.flatMap(([name, value]) => {
      if (value === undefined) return [];
      const bounds = name.endsWith("Ms") ? MILLISECONDS : PART;
      return [[name, reader.number(`${field}.${name}`, value, undefined, bounds)]];
    }),
  );
}
