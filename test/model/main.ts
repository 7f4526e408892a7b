// Runs the model over many seeds, over one to see a failure again, or prints what it measures.
// Started by `npm run model`.

import { KINDS, runSeed } from "./kinds.ts";
import { printTable } from "./table.ts";

const [runs = "1000", kind, seed = "1"] = process.argv.slice(2);
if (runs === "table") {
  await printTable(1);
  process.exit();
}
const count = Number(runs);
const chosen = Object.keys(KINDS).filter((one) => kind === undefined || one === kind);
if (!Number.isInteger(count) || count < 1 || chosen.length === 0 || !/^\d+$/.test(seed)) {
  console.error(
    "Usage: npm run model -- RUNS [KIND] [SEED], or npm run model -- table; " +
      `KIND is one of ${Object.keys(KINDS).join(", ")}`,
  );
  process.exit(2);
}
for (const one of chosen) {
  let requests = 0;
  let failures = 0;
  for (let run = 0; run < count; run += 1) {
    const finding = await runSeed(one, Number(seed) + run);
    requests += finding.requests;
    if (finding.wrong === undefined) continue;
    failures += 1;
    console.error(finding.wrong);
  }
  console.log(
    `${one}: ${count} seeds, ${requests} requests, ${failures} seeds that found something`,
  );
  if (failures > 0) process.exitCode = 1;
}
