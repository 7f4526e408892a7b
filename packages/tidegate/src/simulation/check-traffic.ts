// Checks the streams of requests of a scenario.

import { optionError } from "../policy/options.ts";
import { checkKey } from "../policy/request.ts";
import { checkReplay, type Replay } from "./check-replay.ts";
import type { OptionReader } from "./option-reader.ts";
import type { KeysOptions, TrafficOptions } from "./scenario.ts";

/** A stream of requests, checked. */
export interface CheckedTraffic {
  readonly name: string;
  /** Requests a second. */
  readonly rate: number;
  readonly arrivals: "poisson" | "constant";
  readonly burst: { readonly everyUs: number; readonly requests: number } | undefined;
  readonly keys: { readonly names: readonly string[]; readonly weights: readonly number[] };
  readonly spread: "random" | "round-robin" | "by-key";
  /** By node. */
  readonly weights: readonly number[];
  readonly cost: number;
  /** Instead of rate, burst, keys and cost. */
  readonly replay: Replay | undefined;
  readonly fromUs: number;
  readonly untilUs: number;
}

const MAX_STREAMS = 16;
const MAX_KEYS = 100_000;
const MAX_RATE = 1_000_000;
const OPTIONS = [
  ...["name", "rate", "arrivals", "burst", "keys", "spread", "weights", "cost", "from", "until"],
  ...["requests", "speed"],
];

const NO_KEYS = { names: [], weights: [] };

/** Checks all streams. */
export function checkTraffic(
  reader: OptionReader,
  traffic: unknown,
  scenario: { readonly durationUs: number; readonly nodes: number },
): CheckedTraffic[] {
  if (!Array.isArray(traffic) || traffic.length < 1 || traffic.length > MAX_STREAMS) {
    const expected = `a list of 1 to ${MAX_STREAMS} streams of requests`;
    reader.report("traffic", optionError("traffic", expected, traffic).message);
    return [];
  }
  return traffic.flatMap((stream, index) => {
    return checkStream(reader, index, stream as TrafficOptions, scenario) ?? [];
  });
}

function checkStream(
  reader: OptionReader,
  index: number,
  options: TrafficOptions,
  { durationUs, nodes }: { readonly durationUs: number; readonly nodes: number },
): CheckedTraffic | undefined {
  const field = `traffic[${index}]`;
  if (!reader.isObject(field, options, OPTIONS)) return undefined;
  const { name = `traffic ${index + 1}`, rate, arrivals, spread, cost, from, until } = options;
  if (typeof name !== "string" || name === "" || name.length > 60) {
    reader.report(
      `${field}.name`,
      optionError(`${field}.name`, "a name of 1 to 60 letters", name).message,
    );
  }
  const doesReplay = options.requests !== undefined;
  if (!doesReplay && rate === undefined && options.burst === undefined) {
    reader.report(
      field,
      optionError(`${field}.rate`, "requests a second, or burst set", rate).message,
    );
  }
  const fromUs = reader.instantUs(`${field}.from`, from, 0);
  const untilUs = reader.durationUs(`${field}.until`, until, durationUs);
  if (fromUs >= untilUs || untilUs > durationUs) {
    const expected = `after the beginning of the stream and up to the end, ${durationUs / 1_000} ms`;
    reader.report(`${field}.until`, optionError(`${field}.until`, expected, until).message);
  }
  if (!doesReplay && options.speed !== undefined) {
    const message = `${field}.speed must be left out of a stream that does not replay`;
    reader.report(`${field}.speed`, message);
  }
  const replay = doesReplay ? checkReplay(reader, field, options, { fromUs, untilUs }) : undefined;
  return {
    name,
    replay,
    rate: reader.number(`${field}.rate`, rate, 0, { least: 0.001, most: MAX_RATE }),
    arrivals: reader.word(`${field}.arrivals`, arrivals, "poisson", ["poisson", "constant"]),
    burst: checkBurst(reader, `${field}.burst`, options.burst),
    keys: doesReplay ? NO_KEYS : checkKeys(reader, `${field}.keys`, options.keys),
    spread: reader.word(`${field}.spread`, spread, "random", ["random", "round-robin", "by-key"]),
    weights: checkWeights(reader, `${field}.weights`, options, nodes),
    cost: reader.number(`${field}.cost`, cost, 1, { least: 1, most: 1_000_000, whole: true }),
    fromUs,
    untilUs,
  };
}

function checkBurst(
  reader: OptionReader,
  field: string,
  burst: TrafficOptions["burst"],
): CheckedTraffic["burst"] {
  if (burst === undefined) return undefined;
  if (!reader.isObject(field, burst, ["every", "requests"])) return undefined;
  return {
    everyUs: reader.durationUs(`${field}.every`, burst.every),
    requests: reader.number(`${field}.requests`, burst.requests, undefined, {
      least: 1,
      most: MAX_RATE,
      whole: true,
    }),
  };
}

function checkKeys(
  reader: OptionReader,
  field: string,
  keys: TrafficOptions["keys"],
): CheckedTraffic["keys"] {
  if (Array.isArray(keys)) {
    if (keys.length < 1 || keys.length > MAX_KEYS) {
      reader.report(field, `${field} must have 1 to ${MAX_KEYS} keys, got ${keys.length}`);
    }
    keys.forEach((key, index) => {
      reader.attempt(`${field}[${index}]`, () => checkKey(key));
    });
    return { names: keys, weights: keys.map(() => 1) };
  }
  const known = ["count", "prefix", "distribution", "exponent"];
  const options = keys as KeysOptions;
  if (!reader.isObject(field, options, known)) return NO_KEYS;
  const { count, prefix = "user:", distribution, exponent } = options;
  if (typeof prefix !== "string" || prefix.length > 100) {
    const expected = "a text of at most 100 letters";
    reader.report(`${field}.prefix`, optionError(`${field}.prefix`, expected, prefix).message);
  }
  const bounds = { least: 1, most: MAX_KEYS, whole: true };
  const kind = reader.word(`${field}.distribution`, distribution, "even", ["even", "zipf"]);
  if (exponent !== undefined && kind === "even") {
    reader.report(
      `${field}.exponent`,
      `${field}.exponent must be left out unless distribution is zipf`,
    );
  }
  const power = reader.number(`${field}.exponent`, exponent, 1, { least: 0.1, most: 5 });
  const length = reader.number(`${field}.count`, count, undefined, bounds);
  return {
    names: Array.from({ length }, (_, index) => `${prefix}${index + 1}`),
    weights: Array.from({ length }, (_, index) => (kind === "even" ? 1 : (index + 1) ** -power)),
  };
}

function checkWeights(
  reader: OptionReader,
  field: string,
  { weights, spread = "random" }: TrafficOptions,
  nodes: number,
): readonly number[] {
  const isKnown = Number.isFinite(nodes);
  if (weights === undefined) return new Array(isKnown ? nodes : 0).fill(1);
  if (spread !== "random") {
    reader.report(field, `${field} must be left out unless spread is random, got spread ${spread}`);
  }
  const isWeight = (weight: unknown) => typeof weight === "number" && weight >= 0;
  const isRight =
    Array.isArray(weights) &&
    (weights.length === nodes || !isKnown) &&
    weights.every(isWeight) &&
    weights.some((weight) => weight > 0) &&
    weights.every(Number.isFinite);
  if (isRight) return weights;
  const length = isKnown ? `${nodes} ` : "";
  const expected = `a list of ${length}numbers, one for each node, not all of them 0`;
  reader.report(field, optionError(field, expected, weights).message);
  return [1];
}
