// Exactness at full size: 110,000 requests for each limit through two service processes over gRPC on one Redis.

import { type ExactnessResult, showExactness } from "../../../test/support/exactness.ts";
import type { Benchmark } from "../benchmark.ts";
import type { Section } from "../report/section.ts";

const OPTIONS = { requests: 110_000, concurrency: 512, roomMs: 40_000 };
const QUICK = { requests: 20_000, concurrency: 512, roomMs: 15_000 };

/** The benchmark "exactness". */
export const exactnessBenchmark: Benchmark = {
  name: "exactness",
  async run(effort) {
    const results = await showExactness(effort.quick ? QUICK : OPTIONS);
    return results.map(toSection);
  },
};

function toSection(result: ExactnessResult): Section {
  const { limit, requests, seconds, account } = result;
  const admitted = `admitted through both services`;
  return {
    title: `Exactness, ${limit}`,
    how:
      `${requests.toLocaleString("en-US")} requests for one key through two service processes ` +
      "over gRPC on one Redis, " +
      `512 in flight, in ${seconds.toFixed(0)} s.`,
    measurements: [
      { contender: admitted, unit: "units", values: [result.admitted] },
      { contender: `allowed: ${account}`, unit: "units", values: [result.allowed] },
      { contender: "taken, as Redis holds it", unit: "units", values: [result.recorded] },
      { contender: "errors", unit: "units", values: [result.errors] },
    ],
    goals: [
      { contender: admitted, atLeast: result.allowed, atMost: result.allowed },
      { contender: "taken, as Redis holds it", atLeast: result.allowed, atMost: result.allowed },
      { contender: "errors", atMost: 0 },
    ],
  };
}
