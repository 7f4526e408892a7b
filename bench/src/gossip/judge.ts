// What came of a run, phase by phase, held against the ideal limiter. The same for processes and for the model.

import { admittedByIdeal } from "../traffic/ideal.ts";
import { bordersOf, boundWhileCut, type Scenario, USERS } from "./scenario.ts";

/** What one node was asked and answered, in the order of time; what was never answered is left out. */
export interface Answers {
  /** Microseconds after the start. */
  readonly askedUs: Uint32Array;
  readonly keys: Uint16Array;
  /** 1 where it was admitted. */
  readonly admitted: Uint8Array;
}

/** What was counted of the gossip in one phase. */
export interface PhaseTraffic {
  /** Sent by a node in a second, on average over the nodes. */
  readonly bytesPerSecond: number;
  readonly messagesPerSecond: number;
  /** Processor time of a node in per cent of one core; NaN where that is not measured. */
  readonly cpu: number;
  /** Milliseconds from the begin of the phase until all nodes saw all; NaN where they are not to. */
  readonly allSeenMs: number;
}

/** What a run hands over. */
export interface Run {
  readonly answers: readonly Answers[];
  readonly traffic: readonly PhaseTraffic[];
}

/** What came of one phase. */
export interface PhaseResult extends PhaseTraffic {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly ratio: number;
  /** What was admitted in the second with most of it, by what the ideal admitted in that second. */
  readonly worstSecond: number;
  /** Units of the key that had most beyond the ideal. */
  readonly mostOver: number;
  /** Of the key that had most: by what the policy documents for the time of a partition; NaN in other phases. */
  readonly ofBound: number;
  /** Milliseconds until a second begins whose ratio is within 2 %, of phases that begin with an event; else NaN. */
  readonly backMs: number;
}

/** A bin of time. */
const BIN_MS = 100;
const BINS_PER_SECOND = 1_000 / BIN_MS;
const NEAR = 0.02;

/** Units by bin of time and key. */
class Units {
  readonly #units: Uint32Array;

  constructor(durationMs: number) {
    this.#units = new Uint32Array(Math.ceil(durationMs / BIN_MS) * USERS.keys);
  }

  add(key: number, atUs: number): void {
    const place = Math.floor(atUs / (1_000 * BIN_MS)) * USERS.keys + key;
    if (place < this.#units.length) this.#units[place]! += 1;
  }

  /** Sum from one bin to before another: of all keys, or of one. */
  sum(from: number, to: number, key?: number): number {
    let sum = 0;
    for (let bin = from; bin < to; bin += 1) {
      const at = bin * USERS.keys;
      if (key !== undefined) sum += this.#units[at + key]!;
      else for (let each = 0; each < USERS.keys; each += 1) sum += this.#units[at + each]!;
    }
    return sum;
  }
}

/** Judges a run. */
export function judgeRun(scenario: Scenario, { answers, traffic }: Run): readonly PhaseResult[] {
  const borders = bordersOf(scenario.phases);
  const durationMs = borders.at(-1)!;
  const ideal = new Units(durationMs);
  const admitted = new Units(durationMs);
  const asked = new Units(durationMs);
  admittedByIdeal(USERS, answers, (key, atUs) => ideal.add(key, atUs));
  for (const node of answers) {
    node.askedUs.forEach((atUs, index) => {
      asked.add(node.keys[index]!, atUs);
      if (node.admitted[index] === 1) admitted.add(node.keys[index]!, atUs);
    });
  }
  return scenario.phases.map(({ name, seconds, begins }, phase) => {
    const from = borders[phase]! / BIN_MS;
    const to = borders[phase + 1]! / BIN_MS;
    const ratioOf = (begin: number, end: number) => {
      return admitted.sum(begin, end) / ideal.sum(begin, end);
    };
    const keys = Array.from({ length: USERS.keys }, (_, key) => key);
    const bound = begins === "cut" ? boundWhileCut(scenario, seconds) : Number.NaN;
    const starts = Array.from({ length: to - from - BINS_PER_SECOND + 1 }, (_, bin) => from + bin);
    const whole = starts.filter((bin) => (bin - from) % BINS_PER_SECOND === 0);
    const back = starts.find((bin) => Math.abs(ratioOf(bin, bin + BINS_PER_SECOND) - 1) <= NEAR);
    return {
      ...traffic[phase]!,
      name,
      requestsPerSecond: asked.sum(from, to) / seconds,
      ratio: ratioOf(from, to),
      worstSecond: Math.max(...whole.map((bin) => ratioOf(bin, bin + BINS_PER_SECOND))),
      mostOver: Math.max(
        ...keys.map((key) => admitted.sum(from, to, key) - ideal.sum(from, to, key)),
      ),
      ofBound: Math.max(...keys.map((key) => admitted.sum(from, to, key))) / bound,
      backMs:
        begins === undefined || begins === "cut" || back === undefined
          ? Number.NaN
          : (back - from) * BIN_MS,
    };
  });
}
