// Runs random scenarios of the simulator over many seeds, or over one to see a failure again. Started by
// `npm run simulations`.

import { runSeed } from "./run-seed.ts";

const [runs = "1000", from = "1"] = process.argv.slice(2);
const count = Number(runs);
if (!Number.isInteger(count) || count < 1 || !/^\d{1,9}$/.test(from)) {
  console.error("Usage: npm run simulations -- RUNS [FROM_SEED]");
  process.exit(2);
}
let requests = 0;
let failures = 0;
for (let seed = Number(from); seed < Number(from) + count; seed += 1) {
  const finding = await runSeed(seed);
  requests += finding.requests;
  if (finding.wrong === undefined) continue;
  failures += 1;
  console.error(finding.wrong);
}
console.log(`${count} seeds, ${requests} requests, ${failures} seeds that found something`);
if (failures > 0) process.exitCode = 1;
