// The requests of a scenario, in the order of time. They depend on the seed alone, so that all configurations are asked
// the same.

import type { Random } from "../ports/random.ts";
import type { CheckedTraffic } from "./check-traffic.ts";
import { createSeededRandom, createWeighted, exponential } from "./seeded-random.ts";

/** A request. */
export interface Request {
  /** Since the beginning. */
  readonly atUs: number;
  /** Index of the stream that it belongs to. */
  readonly stream: number;
  readonly key: string;
  readonly cost: number;
  /** Index of the node that it goes to, where that is up. */
  readonly node: number;
}

/** Yields all requests of all streams. */
export function* createRequests(
  streams: readonly CheckedTraffic[],
  nodes: number,
  seed: number,
): Generator<Request> {
  const sources = streams.flatMap((traffic, stream) => {
    // Each has chance of its own, so that one more stream changes no other.
    const draw = createDraw(traffic, stream, nodes, createSeededRandom(seed, 100 + 2 * stream));
    const random = createSeededRandom(seed, 101 + 2 * stream);
    if (traffic.replay !== undefined) {
      return { times: traffic.replay.timesUs.values(), draw };
    }
    return [steady(traffic, random), bursts(traffic)].map((times) => ({ times, draw }));
  });
  const heads = sources.map(({ times }) => times.next().value ?? Number.POSITIVE_INFINITY);
  for (;;) {
    let first = 0;
    for (let index = 1; index < heads.length; index += 1) {
      if (heads[index]! < heads[first]!) first = index;
    }
    const atUs = heads[first]!;
    if (atUs === Number.POSITIVE_INFINITY) return;
    yield sources[first]!.draw(atUs);
    heads[first] = sources[first]!.times.next().value ?? Number.POSITIVE_INFINITY;
  }
}

function createDraw(
  { keys, weights, spread, cost, replay }: CheckedTraffic,
  stream: number,
  nodes: number,
  random: Random,
): (atUs: number) => Request {
  const keyOf = createWeighted(keys.weights, random);
  const randomNode = createWeighted(weights, random);
  let turn = -1;
  const nodeOf = (key: number) => {
    if (spread === "by-key") return key % nodes;
    if (spread === "random") return randomNode();
    turn += 1;
    return turn % nodes;
  };
  if (replay !== undefined) {
    let next = -1;
    return (atUs) => {
      next += 1;
      const key = replay.keys[next]!;
      const units = replay.costs[next]!;
      return { atUs, stream, key: replay.names[key]!, cost: units, node: nodeOf(key) };
    };
  }
  return (atUs) => {
    const key = keyOf();
    return { atUs, stream, key: keys.names[key]!, cost, node: nodeOf(key) };
  };
}

/** The instants of the rate, in whole microseconds. */
function* steady(
  { rate, arrivals, fromUs, untilUs }: CheckedTraffic,
  random: Random,
): Generator<number, undefined> {
  if (rate === 0) return;
  const meanUs = 1e6 / rate;
  for (let atUs = fromUs; ; ) {
    atUs += arrivals === "poisson" ? exponential(random, meanUs) : meanUs;
    if (atUs >= untilUs) return;
    yield Math.round(atUs);
  }
}

function* bursts({ burst, fromUs, untilUs }: CheckedTraffic): Generator<number, undefined> {
  if (burst === undefined) return;
  for (let atUs = fromUs; atUs < untilUs; atUs += burst.everyUs) {
    for (let request = 0; request < burst.requests; request += 1) yield atUs;
  }
}
