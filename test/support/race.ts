// Runs a race: many calls of a fleet at once, chosen by a seed, some of its workers killed in the middle.

import { randomInt } from "node:crypto";
import { FLEET_SIZE, type Fleet, Unanswered } from "./fleet.ts";
import { createSeededRandom, type SeededRandom } from "./seeded-random.ts";

/** One round of a race. */
export interface Round {
  readonly seed: number;
  /** About how many calls. */
  readonly calls: number;
  /** How many workers are killed in the middle. */
  readonly kills: number;
}

/**
 * Runs rounds as `npm run races` asks for them, else one of `calls` calls, each with another seed. Of a round that
 * fails the seed is told.
 */
export async function runRounds(
  calls: number,
  race: (round: Round) => Promise<void>,
  { kills = 4 }: { readonly kills?: number } = {},
): Promise<void> {
  const { TIDEGATE_RACES_CALLS, TIDEGATE_RACES_SECONDS, TIDEGATE_RACES_SEED } = process.env;
  const endMs = performance.now() + 1_000 * Number(TIDEGATE_RACES_SECONDS ?? 0);
  const size = Number(TIDEGATE_RACES_CALLS ?? calls);
  let seed = Number(TIDEGATE_RACES_SEED ?? randomInt(2 ** 31));
  do {
    try {
      await race({ seed, calls: size, kills });
    } catch (error) {
      console.error(`The race that failed: npm run races -- --seed ${seed} --calls ${size}`);
      throw error;
    }
    seed += 1;
  } while (performance.now() < endMs);
}

/** How much is under way at each worker, and at Redis eight times that. */
const LANES_EACH = 16;

/**
 * Has `act` done over and over, in many lanes at once, until the fleet has been asked for all calls of the round. A
 * lane belongs to the worker at its `place`, and goes on with the one that replaces it. What `act` throws ends the
 * race, but for Unanswered. Answers how many calls killed workers left unanswered.
 */
export async function race(
  fleet: Fleet,
  { seed, calls, kills }: Round,
  act: (random: SeededRandom, place: number) => Promise<void>,
): Promise<number> {
  const before = fleet.asked;
  const firstKilled = createSeededRandom(seed).below(FLEET_SIZE);
  const killings: Promise<number>[] = [];
  let failed = false;
  const lane = async (place: number, random: SeededRandom) => {
    while (fleet.asked - before < calls && !failed) {
      try {
        await act(random, place);
      } catch (error) {
        failed ||= !(error instanceof Unanswered);
        if (failed) throw error;
      }
      const due = ((killings.length + 1) * calls) / (kills + 1);
      if (killings.length < kills && fleet.asked - before > due) {
        // One after the other, so that those which have replaced another live for a while.
        killings.push(fleet.kill((firstKilled + killings.length) % FLEET_SIZE));
      }
    }
  };
  const lanes = Array.from({ length: FLEET_SIZE * LANES_EACH }, (_, index) => {
    return lane(index % FLEET_SIZE, createSeededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1)));
  });
  const ended = await Promise.allSettled(lanes);
  const unanswered = await Promise.all(killings);
  await fleet.ready();
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return unanswered.reduce((sum, count) => sum + count, 0);
}
