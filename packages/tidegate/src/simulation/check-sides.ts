// Checks a partition between groups of nodes.

import { optionError } from "../policy/options.ts";
import type { CheckedNodes } from "./check-nodes.ts";
import type { OptionReader } from "./option-reader.ts";
import type { FaultOptions } from "./scenario.ts";
import type { Partition } from "./simulated-network.ts";

type SidesOptions = Extract<FaultOptions, { readonly sides: unknown }>;

/** Which nodes there are, and where. */
type Placed = Pick<CheckedNodes, "nodes" | "regions">;

/** Checks the sides; the nodes are all that are on one, from 0 on. */
export function checkSides(
  reader: OptionReader,
  field: string,
  { sides, lost, store }: SidesOptions,
  surroundings: Placed,
): { readonly nodes: readonly number[]; readonly partition: Partition } {
  const lists = Array.isArray(sides) ? sides.map((side) => nodesOf(side, surroundings)) : [];
  const listed = lists.flatMap((nodes) => nodes ?? []);
  const isRight =
    lists.length >= 2 && !lists.includes(undefined) && new Set(listed).size === listed.length;
  if (!isRight) {
    const expected =
      "a list of 2 sides or more, each a region or a list of nodes that are on no other, such as [[1, 2], [3]]";
    reader.report(`${field}.sides`, optionError(`${field}.sides`, expected, sides).message);
  }
  const bounds = { least: 1, most: Math.max(lists.length, 1), whole: true };
  const storeSide = reader.number(`${field}.store`, store, 0, bounds);
  const partition: Partition = {
    sideOf: surroundings.regions.map((_, node) => {
      const side = lists.findIndex((nodes) => nodes?.includes(node));
      return side === -1 ? undefined : side;
    }),
    storeSide: storeSide === 0 ? undefined : storeSide - 1,
    lost: reader.word(`${field}.lost`, lost, "both", ["both", "forward", "back"]),
  };
  return { nodes: listed, partition };
}

/** The nodes of a side, from 0 on; undefined where it is none. */
function nodesOf(side: unknown, { nodes: count, regions }: Placed): readonly number[] | undefined {
  if (typeof side === "string") {
    const nodes = [...regions.keys()].filter((node) => regions[node] === side);
    const isKnown = nodes.length > 0 || !Number.isFinite(count);
    return side === "" || !isKnown ? undefined : nodes;
  }
  const isNode = (node: unknown) => Number.isInteger(node) && Number(node) >= 1;
  if (!Array.isArray(side) || side.length === 0) return undefined;
  return side.every((node) => isNode(node) && node <= count)
    ? side.map((node) => node - 1)
    : undefined;
}
