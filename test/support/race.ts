// Runs a race: many calls of a fleet at once, chosen by a seed, some of its workers killed in the middle.

import { randomInt } from "node:crypto";
import { FLEET_SIZE, type Fleet, Unanswered } from "./fleet.ts";
import type { RedisServer } from "./redis-server.ts";
import { createSeededRandom, type SeededRandom } from "./seeded-random.ts";

/** One round of a race. */
export interface Round {
  readonly seed: number;
  /** About how many calls. */
  readonly calls: number;
  /** How many workers are killed in the middle. */
  readonly kills: number;
}

/** How many workers are killed in a round, each so much later after it has been asked for something. */
const KILLS = 3;
const LATER_US = 300;

/**
 * Runs rounds as `npm run races` asks for them, else one of `calls` calls, each with another seed, and each on servers
 * that hold nothing. Of a round that fails the seed is told.
 */
export async function runRounds(
  servers: readonly RedisServer[],
  calls: number,
  race: (round: Round) => Promise<void>,
): Promise<void> {
  const { TIDEGATE_RACES_CALLS, TIDEGATE_RACES_SECONDS, TIDEGATE_RACES_SEED } = process.env;
  const endMs = performance.now() + 1_000 * Number(TIDEGATE_RACES_SECONDS ?? 0);
  const size = Number(TIDEGATE_RACES_CALLS ?? calls);
  let seed = Number(TIDEGATE_RACES_SEED ?? randomInt(2 ** 31));
  do {
    for (const { client } of servers) await client.flushall();
    try {
      await race({ seed, calls: size, kills: KILLS });
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
  const killWhereDue = (place: number) => {
    const made = killings.length;
    const due = ((made + 1) * calls) / (kills + 1);
    // One after the other, so that those which have replaced another live for a while.
    if (made === kills || fleet.asked - before < due || place !== (firstKilled + made) % FLEET_SIZE)
      return;
    killings.push(fleet.kill(place, made * LATER_US));
  };
  const lane = async (place: number, random: SeededRandom) => {
    while (fleet.asked - before < calls && !failed) {
      try {
        const done = act(random, place);
        killWhereDue(place);
        await done;
      } catch (error) {
        failed ||= !(error instanceof Unanswered);
        if (failed) throw error;
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
