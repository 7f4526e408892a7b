// Checks requests that are replayed: what was asked once, by whom and when, as a log tells it.

import { optionError } from "../policy/options.ts";
import { checkCost, checkKey } from "../policy/request.ts";
import type { OptionReader } from "./option-reader.ts";
import type { ReplayedRequest, TrafficOptions } from "./scenario.ts";

/** Requests in the order of time, by index. */
export interface Replay {
  /** Since the beginning of the scenario. */
  readonly timesUs: Float64Array;
  /** Index of its key in `names`. */
  readonly keys: Uint32Array;
  readonly costs: Float64Array;
  readonly names: readonly string[];
}

/** When the stream begins and ends. */
interface Span {
  readonly fromUs: number;
  readonly untilUs: number;
}

const MAX_REQUESTS = 5_000_000;
const MAX_KEYS = 1_000_000;
const MAX_SPEED = 1_000_000;
const OTHERS = ["rate", "arrivals", "burst", "keys", "cost"] as const;

/** Checks a stream that replays; those requests are left out that do not lie within its time. */
export function checkReplay(
  reader: OptionReader,
  field: string,
  options: TrafficOptions,
  { fromUs, untilUs }: Span,
): Replay {
  for (const name of OTHERS) {
    if (options[name] === undefined) continue;
    reader.report(`${field}.${name}`, `${field}.${name} must be left out of a stream that replays`);
  }
  const speedBounds = { least: 0.001, most: MAX_SPEED };
  const speed = reader.number(`${field}.speed`, options.speed, 1, speedBounds);
  const taken: { readonly atUs: number; readonly key: number; readonly cost: number }[] = [];
  const names = new Map<string, number>();
  for (const { atMs, key, cost } of readAll(reader, `${field}.requests`, options.requests)) {
    const atUs = fromUs + Math.round((atMs * 1_000) / speed);
    if (atUs >= untilUs) continue;
    const index = names.get(key) ?? names.size;
    names.set(key, index);
    taken.push({ atUs, key: index, cost });
  }
  if (names.size > MAX_KEYS) {
    const message = `${field}.requests must have ${MAX_KEYS} keys at most, got ${names.size}`;
    reader.report(`${field}.requests`, message);
  }
  // Logs are written when requests end, and so are not quite in the order in which they came.
  taken.sort((one, other) => one.atUs - other.atUs);
  return {
    timesUs: Float64Array.from(taken, ({ atUs }) => atUs),
    keys: Uint32Array.from(taken, ({ key }) => key),
    costs: Float64Array.from(taken, ({ cost }) => cost),
    names: [...names.keys()],
  };
}

/** Yields requests until one is wrong. */
function* readAll(
  reader: OptionReader,
  field: string,
  requests: TrafficOptions["requests"],
): Generator<Required<ReplayedRequest>> {
  if (typeof requests !== "object" || requests === null || !(Symbol.iterator in requests)) {
    const expected = "a list of requests, such as [{ atMs: 0, key: a }]";
    reader.report(field, optionError(field, expected, requests).message);
    return;
  }
  const before = reader.problems.length;
  let index = 0;
  for (const request of requests) {
    const path = `${field}[${index}]`;
    const { atMs, key, cost = 1 } = (request ?? {}) as Partial<ReplayedRequest>;
    if (typeof atMs !== "number" || !(atMs >= 0) || atMs === Number.POSITIVE_INFINITY) {
      const expected = "milliseconds since the first request";
      reader.report(path, optionError(`${path}.atMs`, expected, atMs).message);
    }
    reader.attempt(path, () => checkKey(key));
    reader.attempt(path, () => checkCost(cost));
    index += 1;
    if (index > MAX_REQUESTS) {
      reader.report(field, `${field} must have ${MAX_REQUESTS} requests at most, got more`);
    }
    if (reader.problems.length > before) return;
    yield { atMs: atMs!, key: key!, cost };
  }
  if (index === 0) {
    reader.report(field, `${field} must have at least one request, got none`);
  }
}
