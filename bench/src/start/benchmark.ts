// From the start of `tidegate serve` to the first 200 of /readyz, beside a Node that starts and ends.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { startTidegate } from "../../../test/support/tidegate-process.ts";
import type { Benchmark } from "../benchmark.ts";

const NAME = "tidegate serve, until /readyz answers 200";
const BARE = "node -e 0, until it has ended";
const CONFIGURATION = `
store: memory
policies:
  api:
    limits:
      - { algorithm: token-bucket, capacity: 100, refill: 10/s }
`;
const RUNS = 9;

/** The benchmark "start". */
export const startBenchmark: Benchmark = {
  name: "start",
  async run(effort) {
    const runs = effort.quick ? 3 : RUNS;
    const ours: number[] = [];
    const bare: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const service = await startTidegate(CONFIGURATION, 2);
      ours.push(service.readyMs);
      await service.stop();
      bare.push(await startBare());
    }
    return [
      {
        title: "From start to ready",
        how:
          "packages/server/bin/tidegate.js with a configuration file and the memory store, asked " +
          "every 2 ms over HTTP; " +
          `${runs} starts, the first of which may find nothing compiled.`,
        measurements: [
          { contender: NAME, unit: "ms", values: ours },
          { contender: BARE, unit: "ms", values: bare },
        ],
        comparator: BARE,
        goals: [
          {
            contender: NAME,
            atMost: 500,
            whenMissed: [
              "Starting is loading and compiling modules on one processor, beside the bare Node " +
                "of the last row; on a " +
                "machine whose processors are shared both rows grow together.",
              "Tried and kept: the compile cache; gRPC reflection, Redis and YAML loaded only where they are used.",
            ],
          },
        ],
      },
    ];
  },
};

async function startBare(): Promise<number> {
  const started = performance.now();
  await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit");
  return performance.now() - started;
}
