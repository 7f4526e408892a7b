// Holds memory and Redis equal over many random histories, in slices that say how far they are. Started by
// `npm run differential`.

import { ALGORITHMS } from "../support/histories.ts";
import { holdEqual } from "../support/hold-equal.ts";
import { startRedis } from "../support/redis-server.ts";

const SLICE = 5_000;

const [histories = "10000", algorithm, seed = String(process.pid)] = process.argv.slice(2);
const count = Number(histories);
const chosen = ALGORITHMS.filter((one) => algorithm === undefined || one === algorithm);
if (!Number.isInteger(count) || count < 1 || chosen.length === 0 || !/^-?\d+$/.test(seed)) {
  const usage = "npm run differential -- HISTORIES [ALGORITHM] [SEED]";
  console.error(`Usage: ${usage}, with ALGORITHM one of ${ALGORITHMS.join(", ")}`);
  process.exit(2);
}
const server = await startRedis();
try {
  for (const one of chosen) {
    let done = 0;
    let answers = 0;
    for (let slice = 0; done < count; slice += 1) {
      const numRuns = Math.min(SLICE, count - done);
      const sliceSeed = Number(seed) + slice;
      answers += await holdEqual(server, one, { numRuns, seed: sliceSeed }).catch((error) => {
        console.error(`Replay: npm run differential -- ${numRuns} ${one} ${sliceSeed}`);
        throw error;
      });
      done += numRuns;
      console.log(`${one}: ${done} of ${count} histories, ${answers} answers equal`);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // How the answers differed.
  if (error instanceof Error && error.cause instanceof Error) console.error(error.cause.message);
  process.exitCode = 1;
} finally {
  await server.stop();
}
