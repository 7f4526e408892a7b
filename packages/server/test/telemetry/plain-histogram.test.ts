import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { PlainHistogram } from "../../src/telemetry/plain-histogram.ts";

test("buckets, sum and count are those of prom-client", async () => {
  const bounds = [0, 1, 2.5, 10, 1_000];
  const value = fc.oneof(fc.constantFrom(...bounds), fc.nat({ max: 2_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 50 }), async (values) => {
      const plain = new PlainHistogram(bounds);
      const oracle = new Histogram({
        name: "oracle",
        help: "oracle",
        buckets: bounds,
        registers: [new Registry()],
      });
      oracle.zero({});
      for (const each of values) {
        plain.observe(each);
        oracle.observe(each);
      }
      const read = (await oracle.get()).values;
      const buckets = read.filter(({ metricName }) => metricName === "oracle_bucket");
      assert.deepEqual(
        plain.cumulative(),
        buckets.map((bucket) => bucket.value),
      );
      assert.equal(plain.sum, read.find(({ metricName }) => metricName === "oracle_sum")!.value);
    }),
    { numRuns: 200 },
  );
});
