// What a limit admits through an outage, computed before it happens: the library's own limiters on virtual time, as a
// test of yours may run them. `tidegate simulate` does the same from YAML.
// Run: node --conditions=@tidegate/source examples/src/simulation.ts

import { tokenBucket } from "tidegate";
import { type ConfigurationOptions, simulate } from "tidegate/simulation";

const limits = [tokenBucket({ capacity: 200, refill: "5/s" })];
const central: ConfigurationOptions = { limits, coordination: "central" };

const { configurations } = await simulate({
  name: "a Redis that is away for three seconds, and comes back without its last second",
  duration: "30s",
  nodes: { count: 4 },
  // Fifty users at 20/s each: what was saved up is spent before Redis goes.
  traffic: [{ rate: 1_000, keys: { count: 50 } }],
  configurations: {
    allow: { ...central, onStoreFailure: "allow" },
    deny: { ...central, onStoreFailure: "deny" },
    local: { ...central, onStoreFailure: "local" },
    hybrid: { limits, coordination: "hybrid", onStoreFailure: "local" },
  },
  faults: [{ fault: "store-hangs", at: "12s", for: "3s", loses: "1s" }],
});

for (const { name, admittedOverIdeal, storeCalls, requests, latencyMs } of configurations) {
  const calls = (storeCalls / requests).toFixed(2);
  process.stdout.write(
    `${name.padEnd(8)} admits ${admittedOverIdeal!.toFixed(3)} of what is allowed, ` +
      `asks Redis ${calls} times a request, answers 99 of 100 within ${latencyMs.p99} ms\n`,
  );
}

// Each coordination promises something, faults or not; what did not hold is a finding.
for (const { name, verdicts } of configurations) {
  for (const { check, held, detail } of verdicts) {
    if (held) continue;
    process.stdout.write(`${name}, ${check}: ${detail}\n`);
    process.exitCode = 1;
  }
}
