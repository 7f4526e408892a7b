// `npm run races -- --calls N --seconds S`: the tests in test/races, each with N calls a round and round after round
// for S seconds, every round with another seed; `--seed X` begins with the one that a failure has told.

import { parseArgs } from "node:util";

/** The least of each. With fewer calls not every limit is met. */
const NUMBERS = { calls: 5_000, seconds: 0, seed: 0 };

const options = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: "string" }]));
const { values } = parse();
for (const [name, least] of Object.entries(NUMBERS)) {
  const value = values[name];
  if (value === undefined) continue;
  if (!/^\d{1,10}$/.test(value) || Number(value) < least) {
    fail(`--${name} must be a whole number from ${least} on, got ${JSON.stringify(value)}`);
  }
  process.env[`TIDEGATE_RACES_${name.toUpperCase()}`] = value;
}

// The rest is that of `npm test -- FILES`.
process.argv.splice(2, Number.POSITIVE_INFINITY, "test/races/*.test.ts");
await import("./test.mjs");

function parse() {
  try {
    return parseArgs({ options });
  } catch (error) {
    return fail(error.message);
  }
}

function fail(message) {
  console.error(`${message}\nUsage: npm run races -- [--calls N] [--seconds S] [--seed X]`);
  process.exit(2);
}
