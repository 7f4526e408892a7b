// Measures one configuration beside the ideal: one limiter with the same limits that sees every request at once.

import type { Decision, Source } from "../decision.ts";
import type { Policy } from "../policy/policy.ts";
import { memoryStore } from "../stores/memory.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { ConfigurationReport, Timeline, TrafficReport, WorstSecond } from "./report.ts";
import { createSeededRandom } from "./seeded-random.ts";
import type { Request } from "./traffic.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** How many units of a key, since the beginning. */
interface KeyCount {
  ideal: number;
  admitted: number;
  waiting: number;
  /** How many fewer than the ideal, at most. */
  missed: number;
}

/** What is measured of requests. */
export type Measured = Omit<
  ConfigurationReport,
  | ("name" | "coordination" | "unansweredRequests" | "storeCalls" | "keyUpdates")
  | ("messages" | "verdicts")
>;

/** What the meter needs. */
export interface MeterOptions {
  readonly time: VirtualTime;
  readonly startUs: number;
  readonly durationUs: number;
  readonly policy: Policy;
  readonly seed: number;
  /** Names of the streams of requests. */
  readonly streams: readonly string[];
}

/** Lengths of intervals, of which the shortest is taken by which a chart has no more than so many. */
const INTERVALS_MS = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000];
const MAX_INTERVALS = 240;

/** The meter. */
export class Meter {
  readonly #options: MeterOptions;
  readonly #ideal;
  readonly #keys = new Map<string, KeyCount>();
  readonly #latency = new LatencyHistogram();
  readonly #sources = new Map<Source, number>();
  readonly #traffic: { units: number; admittedUnits: number; idealUnits: number }[];
  readonly #intervals: Series;
  readonly #seconds: Series;
  #requests = 0;
  #lost = 0;

  constructor(options: MeterOptions) {
    const { time, durationUs, seed, streams } = options;
    this.#options = options;
    const random = createSeededRandom(seed, 2);
    this.#ideal = memoryStore({ clock: { now: () => time.nowUs }, random });
    this.#traffic = streams.map(() => ({ units: 0, admittedUnits: 0, idealUnits: 0 }));
    const intervalMs =
      INTERVALS_MS.find((length) => durationUs / 1_000 / length <= MAX_INTERVALS) ?? 60_000;
    this.#intervals = new Series(intervalMs, durationUs);
    this.#seconds = new Series(1_000, durationUs);
  }

  /** A request arrives. */
  arrived({ atUs, key, cost, stream }: Request): void {
    const count = this.#countOf(key);
    const traffic = this.#traffic[stream]!;
    const { allowed } = this.#ideal.decide(this.#options.policy, key, cost, true);
    this.#requests += 1;
    count.waiting += cost;
    traffic.units += cost;
    this.#intervals.add("units", atUs, cost);
    if (!allowed) return;
    count.ideal += cost;
    traffic.idealUnits += cost;
    this.#intervals.add("ideal", atUs, cost);
    this.#seconds.add("ideal", atUs, cost);
  }

  answered({ atUs, key, cost, stream }: Request, { allowed, source }: Decision): void {
    const nowUs = this.#options.time.nowUs - this.#options.startUs;
    const count = this.#countOf(key);
    count.waiting -= cost;
    this.#latency.add(nowUs - atUs);
    this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1);
    if (allowed) {
      count.admitted += cost;
      this.#traffic[stream]!.admittedUnits += cost;
      this.#intervals.add("admitted", nowUs, cost);
      this.#seconds.add("admitted", nowUs, cost);
      return;
    }
    // Those that wait for an answer may be admitted yet.
    count.missed = Math.max(count.missed, count.ideal - count.admitted - count.waiting);
  }

  lost({ key, cost }: Request): void {
    this.#lost += 1;
    this.#countOf(key).waiting -= cost;
  }

  /** A message is sent between nodes. Those before the beginning and after the end are none of the traffic's. */
  sent(bytes: number): void {
    const { time, startUs, durationUs } = this.#options;
    const atUs = time.nowUs - startUs;
    if (atUs < 0 || atUs >= durationUs) return;
    this.#intervals.add("messages", atUs, 1);
    this.#intervals.add("messageBytes", atUs, bytes);
  }

  /** What has been asked for, admitted, and admitted by the ideal so far. */
  units(): { readonly units: number; readonly admittedUnits: number; readonly idealUnits: number } {
    const sum = (field: "units" | "admittedUnits" | "idealUnits") => {
      return this.#traffic.reduce((total, traffic) => total + traffic[field], 0);
    };
    return {
      units: sum("units"),
      admittedUnits: sum("admittedUnits"),
      idealUnits: sum("idealUnits"),
    };
  }

  measured(): Measured {
    const { streams } = this.#options;
    const { units, admittedUnits, idealUnits } = this.units();
    let deniedEarlyUnits = 0;
    for (const { missed } of this.#keys.values()) deniedEarlyUnits += missed;
    return {
      requests: this.#requests,
      units,
      admittedUnits,
      idealUnits,
      admittedOverIdeal: idealUnits === 0 ? null : admittedUnits / idealUnits,
      worstSecond: this.#seconds.worst(),
      deniedEarlyUnits,
      lostRequests: this.#lost,
      latencyMs: {
        p50: this.#latency.quantileMs(0.5),
        p99: this.#latency.quantileMs(0.99),
        p999: this.#latency.quantileMs(0.999),
        max: this.#latency.maxMs,
      },
      sources: Object.fromEntries(
        [...this.#sources].sort(([one], [other]) => (one < other ? -1 : 1)),
      ),
      traffic: this.#traffic.map((traffic, index): TrafficReport => {
        return { name: streams[index]!, ...traffic };
      }),
      timeline: this.#intervals.timeline(),
    };
  }

  #countOf(key: string): KeyCount {
    let count = this.#keys.get(key);
    if (count === undefined) {
      count = { ideal: 0, admitted: 0, waiting: 0, missed: 0 };
      this.#keys.set(key, count);
    }
    return count;
  }
}

type Counted = "units" | "admitted" | "ideal" | "messages" | "messageBytes";

/** Units and messages by interval. What comes after the end counts for the last one. */
class Series {
  readonly #intervalMs: number;
  readonly #counts: Record<Counted, number[]>;

  constructor(intervalMs: number, durationUs: number) {
    this.#intervalMs = intervalMs;
    const zeros = () => new Array(Math.ceil(durationUs / 1_000 / intervalMs)).fill(0);
    this.#counts = {
      ...{ units: zeros(), admitted: zeros(), ideal: zeros() },
      ...{ messages: zeros(), messageBytes: zeros() },
    };
  }

  add(what: Counted, atUs: number, count: number): void {
    const counts = this.#counts[what];
    counts[Math.min(Math.floor(atUs / 1_000 / this.#intervalMs), counts.length - 1)]! += count;
  }

  worst(): WorstSecond {
    const { admitted, ideal } = this.#counts;
    const over = admitted.map((units, index) => {
      return (units - ideal[index]!) / Math.max(ideal[index]!, 1);
    });
    const second = over.indexOf(Math.max(...over));
    return {
      second: (second * this.#intervalMs) / 1_000,
      admittedUnits: admitted[second]!,
      idealUnits: ideal[second]!,
      over: over[second]!,
    };
  }

  timeline(): Timeline {
    const { units, admitted, ideal, messages, messageBytes } = this.#counts;
    const interval = { intervalMs: this.#intervalMs };
    return {
      ...interval,
      units,
      admittedUnits: admitted,
      idealUnits: ideal,
      messages,
      messageBytes,
    };
  }
}
