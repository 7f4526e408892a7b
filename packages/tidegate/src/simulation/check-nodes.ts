// Checks the nodes of a scenario, and says where each stands.

import { optionError } from "../policy/options.ts";
import type { OptionReader } from "./option-reader.ts";
import type { NodesOptions } from "./scenario.ts";

/** The nodes, checked. */
export interface CheckedNodes {
  readonly nodes: number;
  /** By node, its region; "" where there are none. */
  readonly regions: readonly string[];
  readonly clockSkewMs: number;
}

const MAX_NODES = 200;
const MAX_REGIONS = 16;
const DAY_MS = 86_400_000;

/** Checks the nodes; where they are wrong there is one. */
export function checkNodes(reader: OptionReader, options: NodesOptions): CheckedNodes {
  const wrong = { nodes: 1, regions: [""], clockSkewMs: 0 };
  if (!reader.isObject("nodes", options, ["count", "regions", "clockSkewMs"])) return wrong;
  const skewBounds = { least: 0, most: DAY_MS };
  const clockSkewMs = reader.number("nodes.clockSkewMs", options.clockSkewMs, 0, skewBounds);
  const regions = checkRegions(reader, options.regions);
  const total = regions?.length;
  if (total !== undefined && total > MAX_NODES) {
    const message = `nodes.regions must have ${MAX_NODES} nodes at most in all, got ${total}`;
    reader.report("nodes.regions", message);
  } else if (total !== undefined && options.count !== undefined && options.count !== total) {
    const expected = `left out, or ${total} as there are in all regions`;
    reader.report("nodes.count", optionError("nodes.count", expected, options.count).message);
  }
  if (regions !== undefined) return { nodes: regions.length, regions, clockSkewMs };
  const bounds = { least: 1, most: MAX_NODES, whole: true };
  // Where the regions are wrong, that is said already.
  const standard = options.regions === undefined ? undefined : 1;
  const nodes = reader.number("nodes.count", options.count, standard, bounds);
  return { nodes, regions: new Array(nodes).fill(""), clockSkewMs };
}

/** Returns the region of each node; undefined where there are none, or wrong ones. */
function checkRegions(reader: OptionReader, regions: NodesOptions["regions"]) {
  if (regions === undefined) return undefined;
  const field = "nodes.regions";
  const isMap = typeof regions === "object" && regions !== null && !Array.isArray(regions);
  const entries = isMap ? Object.entries(regions) : [];
  if (entries.length < 1 || entries.length > MAX_REGIONS) {
    const expected = `an object with the nodes of 1 to ${MAX_REGIONS} regions, such as { eu: 3, us: 2 }`;
    reader.report(field, optionError(field, expected, regions).message);
    return undefined;
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
