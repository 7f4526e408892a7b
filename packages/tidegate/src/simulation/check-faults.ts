// Checks the faults of a scenario. Two of a kind at once would have to say which of them holds, and are refused.

import { optionError } from "../policy/options.ts";
import { checkNetworkOptions, NETWORK_OPTIONS } from "./check-network.ts";
import type { CheckedNodes } from "./check-nodes.ts";
import { checkSides } from "./check-sides.ts";
import type { OptionReader } from "./option-reader.ts";
import type { FaultOptions, NetworkOptions } from "./scenario.ts";
import type { Cut, Partition } from "./simulated-network.ts";

/** When a fault is, and of which nodes, counted from 0. */
interface CheckedTime {
  readonly atUs: number;
  /** The same as `atUs` of what is an instant. */
  readonly untilUs: number;
  readonly nodes: readonly number[];
}

/** The store is away. */
export interface StoreFault extends CheckedTime {
  readonly fault: "store-refuses" | "store-hangs" | "store-freezes";
  readonly forgets: boolean;
  /** How much of what it did last is lost; 0 unless it fails over. */
  readonly losesUs: number;
}

/** A fault, checked. */
export type CheckedFault = CheckedTime &
  (
    | Omit<StoreFault, keyof CheckedTime>
    | { readonly fault: "crash" | "pause" }
    | { readonly fault: "partition"; readonly lost: Cut }
    | { readonly fault: "partition"; readonly partition: Partition }
    | { readonly fault: "network"; readonly network: NetworkOptions }
    | { readonly fault: "clock-step"; readonly stepMs: number }
  );

type StoreOptions = Extract<FaultOptions, { readonly fault: StoreFault["fault"] }>;

const FAULTS: readonly FaultOptions["fault"][] = [
  ...(["store-refuses", "store-hangs", "store-freezes", "crash", "pause"] as const),
  ...(["partition", "network", "clock-step"] as const),
];
const STORE_OPTIONS = ["forgets", "loses"];
const NODE_OPTIONS = ["nodes"];
const OWN_OPTIONS: Readonly<Record<FaultOptions["fault"], readonly string[]>> = {
  "store-refuses": STORE_OPTIONS,
  "store-hangs": STORE_OPTIONS,
  "store-freezes": STORE_OPTIONS,
  crash: NODE_OPTIONS,
  pause: NODE_OPTIONS,
  partition: ["nodes", "lost"],
  network: NETWORK_OPTIONS,
  "clock-step": ["nodes", "stepMs"],
};
const SIDES_OPTIONS = ["sides", "lost", "store"];
const MAX_FAULTS = 1_000;
const DAY_MS = 86_400_000;

/** What the scenario has. */
export interface FaultSurroundings extends Pick<CheckedNodes, "nodes" | "regions"> {
  readonly durationUs: number;
}

/** Checks all faults. */
export function checkFaults(
  reader: OptionReader,
  faults: unknown,
  surroundings: FaultSurroundings,
): CheckedFault[] {
  if (faults === undefined) return [];
  if (!Array.isArray(faults) || faults.length > MAX_FAULTS) {
    const expected = `a list of at most ${MAX_FAULTS} faults`;
    reader.report("faults", optionError("faults", expected, faults).message);
    return [];
  }
  const checked = faults.map((fault, index) => {
    return checkFault(reader, `faults[${index}]`, fault as FaultOptions, surroundings);
  });
  reportOverlaps(reader, checked);
  return checked.filter((fault) => fault !== undefined);
}

function checkFault(
  reader: OptionReader,
  field: string,
  options: FaultOptions,
  surroundings: FaultSurroundings,
): CheckedFault | undefined {
  const { durationUs, nodes: count } = surroundings;
  const given = options as { readonly fault?: FaultOptions["fault"] } | null;
  const own = ownOptions(options);
  const times = given?.fault === "clock-step" ? ["at"] : ["at", "for"];
  if (given?.fault !== undefined && !FAULTS.includes(given.fault)) {
    reader.word(`${field}.fault`, given.fault, "crash", FAULTS);
    return undefined;
  }
  if (!reader.isObject(field, options, ["fault", ...times, ...own])) return undefined;
  if (given?.fault === undefined) {
    const expected = `one of ${FAULTS.join(", ")}`;
    reader.report(field, optionError(`${field}.fault`, expected, undefined).message);
    return undefined;
  }
  const atUs = reader.instantUs(`${field}.at`, options.at);
  if (atUs >= durationUs) {
    const expected = `before the end of the scenario, which is after ${durationUs / 1_000} ms`;
    reader.report(`${field}.at`, optionError(`${field}.at`, expected, options.at).message);
  }
  const lastsUs =
    options.fault === "clock-step" ? 0 : reader.durationUs(`${field}.for`, options.for);
  const time = { atUs, untilUs: atUs + lastsUs };
  if (options.fault === "partition" && "sides" in options) {
    return { fault: "partition", ...time, ...checkSides(reader, field, options, surroundings) };
  }
  const nodes = own.includes("nodes")
    ? checkNodes(reader, `${field}.nodes`, (options as { nodes?: unknown }).nodes, count)
    : [];
  return { ...time, nodes, ...checkOwn(reader, field, options) };
}

/** What a fault may have beside its time. */
function ownOptions(options: FaultOptions): readonly string[] {
  const given = options as { readonly fault?: FaultOptions["fault"] } | null;
  if (given?.fault === "partition" && "sides" in given) return SIDES_OPTIONS;
  return OWN_OPTIONS[given?.fault ?? "crash"] ?? [];
}

function checkOwn(reader: OptionReader, field: string, options: FaultOptions) {
  const { fault } = options;
  switch (fault) {
    case "crash":
    case "pause":
      return { fault };
    case "partition":
      return {
        fault,
        lost: reader.word<Cut>(`${field}.lost`, options.lost as Cut, "both", [
          ...(["both", "questions", "answers"] as const),
        ]),
      };
    case "network":
      return { fault, network: checkNetworkOptions(reader, field, options) };
    case "clock-step": {
      const bounds = { least: -DAY_MS, most: DAY_MS };
      return { fault, stepMs: reader.number(`${field}.stepMs`, options.stepMs, undefined, bounds) };
    }
    default:
      return { fault, ...checkReturn(reader, field, options) };
  }
}

/** Checks how a store comes back. */
function checkReturn(
  reader: OptionReader,
  field: string,
  { fault, forgets, loses }: StoreOptions,
): Pick<StoreFault, "forgets" | "losesUs"> {
  const isEmpty = reader.flag(`${field}.forgets`, forgets);
  const losesUs = reader.durationUs(`${field}.loses`, loses, 0);
  const refuse = (why: string) => {
    const expected = `left out ${why}`;
    reader.report(`${field}.loses`, optionError(`${field}.loses`, expected, loses).message);
  };
  if (loses !== undefined && isEmpty) refuse("where forgets is true: then all is lost");
  else if (loses !== undefined && fault === "store-freezes") {
    refuse("of store-freezes, which does all that it was asked when it is back");
  }
  return { forgets: isEmpty, losesUs };
}

/** Returns the failovers of the store that lose something, in the order of time. */
export function failoversOf(faults: readonly CheckedFault[]): readonly StoreFault[] {
  const failovers = faults.filter((fault) => "losesUs" in fault && fault.losesUs > 0);
  return (failovers as StoreFault[]).sort((one, other) => one.atUs - other.atUs);
}

function checkNodes(
  reader: OptionReader,
  field: string,
  value: unknown,
  count: number,
): readonly number[] {
  const all = Number.isFinite(count) ? count : 0;
  if (value === undefined) return Array.from({ length: all }, (_, index) => index);
  const isNode = (node: unknown) => Number.isInteger(node) && Number(node) >= 1;
  const isRight =
    Array.isArray(value) &&
    value.length > 0 &&
    new Set(value).size === value.length &&
    value.every((node) => isNode(node) && node <= count);
  if (isRight) return value.map((node) => node - 1);
  const known = Number.isFinite(count) ? `to ${count}` : "on";
  reader.report(field, optionError(field, `a list of nodes from 1 ${known}`, value).message);
  return [];
}

function reportOverlaps(reader: OptionReader, faults: readonly (CheckedFault | undefined)[]): void {
  faults.forEach((fault, index) => {
    const before = faults.slice(0, index).findIndex((other) => {
      return fault !== undefined && other !== undefined && doOverlap(fault, other);
    });
    if (before === -1) return;
    const message = `faults[${index}] must not overlap faults[${before}], which is of the same kind`;
    reader.report(`faults[${index}]`, message);
  });
}

function doOverlap(one: CheckedFault, other: CheckedFault): boolean {
  // Of what is lost between sides, several may be lost at once.
  if ("partition" in one || "partition" in other) return false;
  const kind = ({ fault }: CheckedFault) => (fault.startsWith("store-") ? "store" : fault);
  const shareNodes = one.nodes.length === 0 || one.nodes.some((node) => other.nodes.includes(node));
  const shareTime = one.atUs < other.untilUs && other.atUs < one.untilUs;
  return kind(one) === kind(other) && shareNodes && shareTime;
}
