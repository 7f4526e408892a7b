// The load of one node: checks of a used-up key, of keys that are used up meanwhile, of ever new keys and of one that
// never is, of every failure policy; and the books of what became of them.

import type { Decision, Limiter } from "tidegate";
import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";
import { systemTimer } from "../../packages/tidegate/src/runtime/system-timer.ts";
import {
  HOT_KEY,
  type ModeReport,
  monotonicMs,
  type Phase,
  POOL_KEYS,
  policyName,
  SUM_KEY,
  sumPolicyName,
} from "./orders.ts";

/** Between two turns of the load, in each of which every failure policy is asked four times. */
const EVERY_MS = 10;

/** Keys that are asked for so seldom that they are as good as new. */
const COLD_KEYS = 2_000;
/** Times noted of each failure policy, the last ones; outside the heap, which is measured. */
const MAX_TIMES = 2 ** 19;

/** What is asked once. */
interface Question {
  readonly mode: OnStoreFailure;
  readonly policy: string;
  readonly key: string;
  readonly id?: string;
}

/** The load of a node. */
export class Load {
  readonly modes: Record<string, ModeReport> = {};
  phase: Phase = "before";
  /** By how much a turn of it was late at most, once the fault began. */
  stallMs = 0;
  #blockedMs = 0;
  readonly #limiter: Limiter;
  readonly #node: string;
  readonly #times: Record<string, Times> = {};
  readonly #pending = new Set<Promise<void>>();
  #turn = 0;
  #cancel: (() => void) | undefined;

  /** @param node names the keys that no other node asks for. */
  constructor(limiter: Limiter, modes: readonly OnStoreFailure[], node: string) {
    this.#limiter = limiter;
    this.#node = node;
    for (const mode of modes) {
      this.modes[mode] = emptyReport();
      this.#times[mode] = new Times();
    }
  }

  get isRunning(): boolean {
    return this.#cancel !== undefined;
  }

  start(): void {
    const dueMs = monotonicMs() + EVERY_MS;
    this.#cancel = systemTimer.after(EVERY_MS, () => {
      if (this.phase !== "before") this.stallMs = Math.max(this.stallMs, monotonicMs() - dueMs);
      this.start();
      this.#askAll();
    });
  }

  /** Ends it, and resolves when everything is answered. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await Promise.all(this.#pending);
    for (const [mode, times] of Object.entries(this.#times)) {
      this.modes[mode]!.durationsMs = times.durationsMs();
      this.modes[mode]!.waitsMs = times.waitsMs();
    }
  }

  /** Does nothing else for a while, with what was just asked under way. */
  block(ms: number): void {
    this.#askAll();
    const endMs = monotonicMs() + ms;
    // When it has been sent.
    setImmediate(() => {
      while (monotonicMs() < endMs);
      this.#blockedMs += ms;
    });
  }

  #askAll(): void {
    this.#turn += 1;
    const pool = `${poolOf(this.phase)}-${this.#turn % POOL_KEYS}`;
    const cold = `cold-${this.#node}-${this.#turn % COLD_KEYS}`;
    for (const mode of Object.keys(this.modes) as OnStoreFailure[]) {
      const policy = policyName(mode);
      for (const key of [HOT_KEY, pool, cold]) this.#track({ mode, policy, key });
      // Every other one with an id, which is more than one key to Redis.
      const id = this.#turn % 2 === 0 ? { id: `${this.#node}-${this.#turn}` } : {};
      this.#track({ mode, policy: sumPolicyName(mode), key: SUM_KEY, ...id });
    }
  }

  #track(question: Question): void {
    const asked = this.#ask(question).finally(() => this.#pending.delete(asked));
    this.#pending.add(asked);
  }

  async #ask({ mode, ...request }: Question): Promise<void> {
    const report = this.modes[mode]!;
    const { phase } = this;
    const blockedMs = this.#blockedMs;
    report.asked += 1;
    const askedAtMs = monotonicMs();
    let decision: Decision;
    try {
      decision = await this.#limiter.check(request);
    } catch (error) {
      report.answered += 1;
      report.rejected.push(String(error));
      return;
    }
    report.answered += 1;
    const atMs = monotonicMs();
    if (phase !== "before") {
      this.#times[mode]!.note(atMs - askedAtMs, this.#blockedMs - blockedMs);
    }
    note(report, phase, request.key, decision, atMs);
  }
}

/** How long decisions took, and for how much of that the node was told to do nothing. */
class Times {
  readonly #durations = new Float64Array(MAX_TIMES);
  readonly #blocked = new Float64Array(MAX_TIMES);
  #count = 0;

  note(durationMs: number, blockedMs: number): void {
    this.#durations[this.#count % MAX_TIMES] = durationMs;
    this.#blocked[this.#count % MAX_TIMES] = blockedMs;
    this.#count += 1;
  }

  durationsMs(): number[] {
    return Array.from(this.#durations.subarray(0, this.#count));
  }

  waitsMs(): number[] {
    return this.durationsMs().map((durationMs, index) => durationMs - this.#blocked[index]!);
  }
}

function note(report: ModeReport, phase: Phase, key: string, decision: Decision, atMs: number) {
  const { source, allowed } = decision;
  const name = `${phase} ${source}`;
  report.tally[name] ??= { allowed: 0, denied: 0 };
  report.tally[name][allowed ? "allowed" : "denied"] += 1;
  const isCold = key.startsWith("cold-");
  if (allowed && !isCold) {
    const taken = `${key} ${phase} ${source}`;
    report.admitted[taken] = (report.admitted[taken] ?? 0) + 1;
  }
  if (phase === "away" && !isCold) {
    report.outageKeys[key] ??= { all: 0, degraded: 0 };
    report.outageKeys[key].all += 1;
    if (!BY_STORE.has(source)) report.outageKeys[key].degraded += 1;
  }
  if (phase === "away" && source === "lease" && allowed) report.lastLeaseAtMs = atMs;
  // Of the used-up key a remembered denial is answered first; a key that is new has no lease but a new one.
  const isAnswered = source === "store" || (source === "lease" && key !== SUM_KEY);
  if (phase === "after" && isAnswered && !isCold && key !== HOT_KEY) {
    report.recoveredAtMs[key] ??= atMs;
  }
}

/** Who answers for the store. */
const BY_STORE = new Set(["store", "cache", "lease"]);

/** The keys of an outage are the same from its beginning to its end. */
function poolOf(phase: Phase): string {
  return phase === "before" || phase === "after" ? phase : "outage";
}

function emptyReport(): ModeReport {
  return {
    asked: 0,
    answered: 0,
    rejected: [],
    durationsMs: [],
    waitsMs: [],
    tally: {},
    admitted: {},
    sumRemaining: Number.NaN,
    late: 0,
    lastLeaseAtMs: Number.NaN,
    outageKeys: {},
    recoveredAtMs: {},
  };
}
