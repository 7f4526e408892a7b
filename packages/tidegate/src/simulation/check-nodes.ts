// Checks the nodes of a scenario, and says where each stands.

import { optionError } from "../policy/options.ts";
import type { OptionReader } from "./option-reader.ts";
import type { NodesOptions } from "./scenario.ts";

/** The nodes, checked. */
export interface CheckedNodes {
  /** Infinity where they are wrong, and so it is not known how many there should be. */
  readonly nodes: number;
  /** By node, its region; "" where there are none. Empty where it is not known how many nodes there should be. */
  readonly regions: readonly string[];
  readonly clockSkewMs: number;
}

const MAX_NODES = 200;
const MAX_REGIONS = 16;
const DAY_MS = 86_400_000;

/** Checks the nodes. */
export function checkNodes(reader: OptionReader, options: NodesOptions): CheckedNodes {
  const unknown = { nodes: Number.POSITIVE_INFINITY, regions: [], clockSkewMs: 0 };
  if (!reader.isObject("nodes", options, ["count", "regions", "clockSkewMs"])) return unknown;
  const skewBounds = { least: 0, most: DAY_MS };
  const clockSkewMs = reader.number("nodes.clockSkewMs", options.clockSkewMs, 0, skewBounds);
  const before = reader.problems.length;
  const regions = checkPlaces(reader, options);
  if (reader.problems.length > before) return unknown;
  return { nodes: regions.length, regions, clockSkewMs };
}

/** Returns the region of each node. */
function checkPlaces(reader: OptionReader, { count, regions }: NodesOptions): readonly string[] {
  if (regions === undefined) {
    const bounds = { least: 1, most: MAX_NODES, whole: true };
    return new Array<string>(reader.number("nodes.count", count, undefined, bounds)).fill("");
  }
  const before = reader.problems.length;
  const places = checkRegions(reader, regions);
  if (reader.problems.length > before) return places;
  if (places.length > MAX_NODES) {
    const message = `nodes.regions must have ${MAX_NODES} nodes at most in all, got ${places.length}`;
    reader.report("nodes.regions", message);
  } else if (count !== undefined && count !== places.length) {
    const expected = `left out, or ${places.length} as there are in all regions`;
    reader.report("nodes.count", optionError("nodes.count", expected, count).message);
  }
  return places;
}

function checkRegions(
  reader: OptionReader,
  regions: NonNullable<NodesOptions["regions"]>,
): readonly string[] {
  const field = "nodes.regions";
  const isMap = typeof regions === "object" && regions !== null && !Array.isArray(regions);
  const entries = isMap ? Object.entries(regions) : [];
  if (entries.length < 1 || entries.length > MAX_REGIONS) {
    const expected = `an object with the nodes of 1 to ${MAX_REGIONS} regions, such as { eu: 3, us: 2 }`;
    reader.report(field, optionError(field, expected, regions).message);
    return [];
  }
  const bounds = { least: 1, most: MAX_NODES, whole: true };
  return entries.flatMap(([region, count]) => {
    if (region === "" || region.length > 60) {
      reader.report(field, `the name of a region in ${field} must have 1 to 60 letters`);
    }
    const length = reader.number(`${field}.${region}`, count, undefined, bounds);
    return new Array<string>(length).fill(region);
  });
}
