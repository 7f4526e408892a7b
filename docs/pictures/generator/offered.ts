// The requests that every picture of an algorithm shows: quiet, a burst, more than the rate for a while, quiet. All
// limits in the pictures are 10 units in 4 seconds, so that what differs is the algorithm alone.

/** How long the pictures show. */
export const SHOWN_MS = 12_000;

/** The limit of all pictures, in units. */
export const LIMIT = 10;

/** In which time: the length of a window, the time in which a bucket is filled, a lease. */
export const WINDOW_MS = 4_000;

/** The rate of the buckets. */
export const RATE = `${LIMIT}/${WINDOW_MS / 1_000}s`;

const BURST = 15;
const BURST_AT_MS = 3_000;
const BURST_GAP_MS = 10;

const STEADY_FROM_MS = 4_000;
const STEADY_UNTIL_MS = 10_000;
const STEADY_GAP_MS = 200;

/** When requests come, in milliseconds, ascending. */
export function offeredAtMs(): number[] {
  const burst = Array.from({ length: BURST }, (_, index) => BURST_AT_MS + index * BURST_GAP_MS);
  const steady: number[] = [];
  for (let at = STEADY_FROM_MS; at < STEADY_UNTIL_MS; at += STEADY_GAP_MS) steady.push(at);
  return [...burst, ...steady];
}

/** Says what is offered, for captions. */
export const OFFERED =
  `${BURST} requests within ${(BURST * BURST_GAP_MS) / 1_000} s after ${BURST_AT_MS / 1_000} s, ` +
  `then ${1_000 / STEADY_GAP_MS} a second from ${STEADY_FROM_MS / 1_000} s to ${STEADY_UNTIL_MS / 1_000} s`;
