// What five nodes that gossip go through, in processes and in the model alike: hot users over their limit, a partition
// of two nodes against three, and a node that is killed and starts again.

import type { Buckets } from "../traffic/ideal.ts";

/** What happens while a phase lasts, from its begin on. */
export type Event = "cut" | "heal" | "kill" | "start" | undefined;

/** A part of the time line. */
export interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly begins: Event;
}

/** One run. */
export interface Scenario {
  readonly intervalMs: number;
  readonly partition: "full" | "share";
  readonly phases: readonly Phase[];
  readonly seed: number;
}

export const NODES = 5;
export const PER_SECOND = 15_000;
/** 50 hot users, each asked for 300 times a second over all nodes. */
export const USERS: Buckets = { keys: 50, capacity: 100, refillPerSecond: 100 };
/** The places of the nodes that are cut off from the others, and of the one that is killed. */
export const CUT_OFF: readonly number[] = [0, 1];
export const KILLED = 4;
/** Requests that fall due within this time are asked at once. */
export const BATCH_MS = 4;

/** Names of the keys of a scenario, by their places. */
export const USER_NAMES = Array.from({ length: USERS.keys }, (_, place) => `user:${1_000 + place}`);

const SECONDS = [5, 20, 20, 15, 12, 13];
const SECONDS_QUICK = [3, 5, 8, 6, 3, 4];

/** The phases of a run. */
export function phasesOf(quick: boolean): readonly Phase[] {
  const [start, steady, apart, healed, killed, back] = quick ? SECONDS_QUICK : SECONDS;
  return [
    { name: "start", seconds: start!, begins: undefined },
    { name: "steady", seconds: steady!, begins: undefined },
    { name: "2 against 3", seconds: apart!, begins: "cut" },
    { name: "healed", seconds: healed!, begins: "heal" },
    { name: "one killed", seconds: killed!, begins: "kill" },
    { name: "started again", seconds: back!, begins: "start" },
  ];
}

/** Length of a run, in milliseconds. */
export function durationOf(phases: readonly Phase[]): number {
  return phases.reduce((sum, { seconds }) => sum + 1_000 * seconds, 0);
}

/** When each phase begins, in milliseconds after the start, and when the last ends. */
export function bordersOf(phases: readonly Phase[]): readonly number[] {
  const borders = [0];
  for (const { seconds } of phases) borders.push(borders.at(-1)! + 1_000 * seconds);
  return borders;
}

/**
 * Units of one key that may be admitted while nodes are cut off for so many seconds: by each side the whole limit, or,
 * where each keeps to its share, the limit and what four rounds allow, until the silence of the others is noticed.
 */
export function boundWhileCut({ partition, intervalMs }: Scenario, seconds: number): number {
  const { capacity, refillPerSecond } = USERS;
  const limit = capacity + refillPerSecond * seconds;
  if (partition === "full") return 2 * limit;
  return limit + (refillPerSecond * Math.max(4 * intervalMs, 500)) / 1_000;
}

/** Over the ideal in the worst second, by the interval. */
export const WORST_AT_MOST: Readonly<Record<number, number>> = { 100: 1.03, 1000: 1.1 };
