// The histogram of the benchmarks: its percentiles are those of the durations it has counted, to a 32nd.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../bench/src/process/histogram.ts";
import { percentile } from "../../bench/src/report/statistics.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

test("percentiles are those of the durations, at most a 32nd and a nanosecond above", () => {
  const random = createSeededRandom(1);
  // From nanoseconds to seconds, as often in each power of two.
  const durations = Array.from({ length: 5_000 }, () => 2 ** (random.below(32_000) / 1_000) / 1e6);
  const histogram = new Histogram();
  for (const duration of durations) histogram.add(duration);
  for (const share of [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = percentile(durations, share);
    const found = histogram.percentile(share);
    assert.ok(found >= exact - 1e-6, `${share}: ${found} for ${exact}`);
    assert.ok(found <= exact * (1 + 1 / 32) + 2e-6, `${share}: ${found} for ${exact}`);
  }
});

test("what is counted elsewhere is merged, and counts go as they are from process to process", () => {
  const one = new Histogram();
  const other = new Histogram();
  one.add(1);
  for (let time = 0; time < 3; time += 1) other.add(8);
  one.merge(new Histogram(structuredClone(other.counts)));
  assert.equal(
    one.counts.reduce((sum, count) => sum + count, 0),
    4,
  );
  assert.ok(Math.abs(one.percentile(0.25) - 1) < 1 / 32, "a quarter took a millisecond");
  assert.ok(Math.abs(one.percentile(0.26) - 8) < 8 / 32, "the others took eight");
});

test("durations outside of the range count at its ends, and no durations have no percentile", () => {
  const histogram = new Histogram();
  assert.throws(() => histogram.percentile(0.5), /no durations/);
  histogram.add(-1);
  assert.ok(histogram.percentile(1) <= 1e-6);
  histogram.add(60_000);
  const largest = histogram.percentile(1);
  assert.ok(largest > 4_000 && largest < 4_500, `${largest} ms`);
});
