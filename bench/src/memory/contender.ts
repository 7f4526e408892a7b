// One in-memory limiter in its own process: fills its keys, then measures decisions per second over them.
// Arguments: which limiter, number of keys, "robin" or "shuffled", "admit" or "deny".

import { RateLimiterMemory } from "rate-limiter-flexible";
import { createLimiter, tokenBucket } from "tidegate";
import { answerMeasurements } from "../process/answer.ts";
import { bareGcra } from "./bare-gcra.ts";

const [which, keyCountText, order, outcome] = process.argv.slice(2);
const keyCount = Number(keyCountText);
const denying = outcome === "deny";

// Held flat and hashed, as the key that a server reads from a request is after its first look-up.
const distinct = Array.from({ length: keyCount }, (_, index) => `user:${1_000_000 + index}`);
const keys = order === "shuffled" ? shuffle(distinct) : distinct;

/** Decisions between two looks at the clock. */
const CHUNK = 1_024;

type Run = (from: number, count: number) => Promise<number> | number;

const run = await createRun();
const fill = await run(0, keyCount);
let position = 0;

async function createRun(): Promise<Run> {
  switch (which) {
    case "tidegate":
      return createTidegateRun();
    case "rate-limiter-flexible": {
      const limiter = new RateLimiterMemory({
        points: denying ? 1 : 1_000_000_000,
        duration: denying ? 86_400 : 3_600,
      });
      return async function loop(from, count) {
        let allowed = 0;
        for (let index = 0, at = from; index < count; index += 1) {
          try {
            await limiter.consume(keys[at]!);
            allowed += 1;
          } catch {
            // Denied: it rejects.
          }
          at += 1;
          if (at === keyCount) at = 0;
        }
        return allowed;
      };
    }
    case "bare-awaited": {
      const check = bareGcra(denying ? 1 : 1_000_000_000, denying ? 86_400_000_000 : 10_000);
      return async function loop(from, count) {
        let allowed = 0;
        for (let index = 0, at = from; index < count; index += 1) {
          const decision = await Promise.resolve(check(keys[at]!));
          if (decision.allowed) allowed += 1;
          at += 1;
          if (at === keyCount) at = 0;
        }
        return allowed;
      };
    }
    case "bare": {
      const check = bareGcra(denying ? 1 : 1_000_000_000, denying ? 86_400_000_000 : 10_000);
      return function loop(from, count) {
        let allowed = 0;
        for (let index = 0, at = from; index < count; index += 1) {
          if (check(keys[at]!).allowed) allowed += 1;
          at += 1;
          if (at === keyCount) at = 0;
        }
        return allowed;
      };
    }
    default:
      throw new Error(`unknown contender ${which}`);
  }
}

async function createTidegateRun(): Promise<Run> {
  // Never denied, and never as if unused again while the benchmark runs: the first check takes an hour's refill.
  const limits = [
    denying
      ? tokenBucket({ capacity: 1, refill: "1/1d" })
      : tokenBucket({ capacity: 1_000_000_000, refill: "100/s" }),
  ];
  const limiter = createLimiter({ policies: { api: { limits } } });
  if (!denying) {
    for (const key of keys) await limiter.check({ policy: "api", key, cost: 360_000 });
  }
  return async function loop(from, count) {
    let allowed = 0;
    for (let index = 0, at = from; index < count; index += 1) {
      const decision = await limiter.check({ policy: "api", key: keys[at]! });
      if (decision.allowed) allowed += 1;
      at += 1;
      if (at === keyCount) at = 0;
    }
    return allowed;
  };
}

answerMeasurements({ fill }, async ({ sliceMs }) => {
  const started = performance.now();
  let decisions = 0;
  let allowed = 0;
  let elapsedMs = 0;
  do {
    allowed += await run(position, CHUNK);
    decisions += CHUNK;
    position = (position + CHUNK) % keyCount;
    elapsedMs = performance.now() - started;
  } while (elapsedMs < (sliceMs as number));
  const expected = denying ? 0 : decisions;
  if (allowed !== expected) throw new Error(`${which} admitted ${allowed} of ${decisions}`);
  return { perSecond: (1_000 * decisions) / elapsedMs };
});

function shuffle(list: readonly string[]): string[] {
  const shuffled = [...list];
  let seed = 1;
  for (let index = shuffled.length - 1; index > 0; index -= 1) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const other = seed % (index + 1);
    [shuffled[index], shuffled[other]] = [shuffled[other]!, shuffled[index]!];
  }
  return shuffled;
}
