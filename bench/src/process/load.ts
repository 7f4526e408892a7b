// Load on anything that answers with a promise: as fast as it goes with so many requests in flight, or at a fixed rate
// whoever is slow (an open loop), where latency counts from the instant at which a request was due.

import { percentile } from "../report/statistics.ts";

/** Sends one request, the `index`-th; resolves when it is answered, rejects where the answer is wrong. */
export type Send = (index: number) => Promise<unknown>;

/** Keeps `concurrency` requests in flight for `durationMs`. Returns how many a second were answered. */
export async function closedLoop(
  send: Send,
  concurrency: number,
  durationMs: number,
): Promise<number> {
  const started = performance.now();
  const deadline = started + durationMs;
  let index = 0;
  async function worker(): Promise<void> {
    while (performance.now() < deadline) {
      const current = index;
      index += 1;
      await send(current);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  return (1_000 * index) / (performance.now() - started);
}

/** Latencies of an open loop, in milliseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Sends `perSecond` requests a second, evenly spaced, for `durationMs`. */
export async function openLoop(
  send: Send,
  perSecond: number,
  durationMs: number,
): Promise<Latencies> {
  const total = Math.floor((perSecond * durationMs) / 1_000);
  const latencies = new Float64Array(total);
  const gapMs = 1_000 / perSecond;
  const started = performance.now();
  let sent = 0;
  let failure: unknown;
  let answered = 0;
  await new Promise<void>((resolve) => {
    const settle = (index: number) => {
      latencies[index] = performance.now() - (started + index * gapMs);
      answered += 1;
      if (answered === total) resolve();
    };
    const turn = () => {
      const due = Math.min(total, Math.floor((performance.now() - started) / gapMs) + 1);
      for (; sent < due; sent += 1) {
        const index = sent;
        send(index).then(
          () => settle(index),
          (error) => {
            failure = error;
            settle(index);
          },
        );
      }
      // A timer, whose millisecond counts as latency: to spin instead would take the processor from what is measured.
      if (sent < total) setTimeout(turn, 1);
    };
    turn();
  });
  if (failure !== undefined) throw failure;
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    p999: percentile(latencies, 0.999),
  };
}
