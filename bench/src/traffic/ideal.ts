// The ideal limiter: one token bucket for each key that sees every request of every node, in the order of time. What
// it admits is what the contenders are held against.

/** Keys, each with a token bucket of its own. */
export interface Buckets {
  readonly keys: number;
  readonly capacity: number;
  readonly refillPerSecond: number;
}

/** Requests of one node as they were asked, in the order of time. */
export interface Asked {
  /** Microseconds after an instant that all nodes share. */
  readonly askedUs: Uint32Array;
  /** Places of the keys. */
  readonly keys: Uint16Array;
}

/** A sum that is a billionth short of a unit is one. */
const ROUNDING = 1e-9;

/**
 * Returns how many units of each key the ideal limiter admits.
 * @param each is told of each unit: the place of its key, and microseconds.
 */
export function admittedByIdeal(
  { keys, capacity, refillPerSecond }: Buckets,
  nodes: readonly Asked[],
  each?: (key: number, atUs: number) => void,
): Uint32Array {
  const admitted = new Uint32Array(keys);
  const tokens = new Float64Array(keys).fill(capacity);
  const sinceUs = new Float64Array(keys);
  const next = nodes.map(() => 0);
  for (let node = earliest(nodes, next); node !== undefined; node = earliest(nodes, next)) {
    const index = next[node]!;
    next[node] = index + 1;
    const key = nodes[node]!.keys[index]!;
    const atUs = nodes[node]!.askedUs[index]!;
    const refilled = ((atUs - sinceUs[key]!) * refillPerSecond) / 1e6;
    sinceUs[key] = atUs;
    tokens[key] = Math.min(capacity, tokens[key]! + refilled);
    if (tokens[key]! < 1 - ROUNDING) continue;
    tokens[key]! -= 1;
    admitted[key]! += 1;
    each?.(key, atUs);
  }
  return admitted;
}

/** The node whose next request was asked first; undefined where no request is left. */
function earliest(nodes: readonly Asked[], next: readonly number[]): number | undefined {
  let found: number | undefined;
  let foundUs = Infinity;
  for (let node = 0; node < nodes.length; node += 1) {
    const atUs = nodes[node]!.askedUs[next[node]!];
    if (atUs === undefined || atUs >= foundUs) continue;
    found = node;
    foundUs = atUs;
  }
  return found;
}
