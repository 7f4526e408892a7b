// What is more than a plain check, in memory: limits with logs, permits or soft ones, several keys as one, request ids,
// reservations, refunds. Twin of transact.lua: the two are held equal by a differential test, so change both.

import {
  chargeTo,
  createKeyEntries,
  extendPermit,
  giveBack,
  holdsPermit,
  type KeyState,
  look,
  releasePermit,
  takeFrom,
} from "../algorithms/key-state.ts";
import { combineDecisions, createDecision, type Decision } from "../decision.ts";
import { MAX_LIMITS, MAX_RECORD_MS, type Policy } from "../policy/policy.ts";
import type { Outcome, Part, RecordOptions, Work } from "../ports/store.ts";
import type { KeptSlots, KeySpace, Place } from "./key-space.ts";
import type { KeyTable } from "./key-table.ts";
import { Records, type Remembered, recordName } from "./records.ts";
import { askedOf, limitsOf, reusedId } from "./work-print.ts";

/** An answer that was given under an id. */
interface Recorded {
  readonly expiresAt: number;
  readonly asked: string;
  readonly limits: string;
  readonly outcome: Outcome;
  /** Units of the first part that it took, to be settled; undefined where they are settled, or there are none. */
  estimate: number | undefined;
  settled: boolean;
}

/** A part whose states have been found or made. */
interface Located {
  readonly part: Part;
  readonly state: KeyState;
  readonly waits: Float64Array;
  readonly place: Place;
  /** Whether the key was not known before. */
  readonly inserted: boolean;
}

/** Does the work over a store's keys. */
export class MemoryWork {
  readonly #keys: KeySpace;
  readonly #records: Records<Recorded>;
  readonly #resets: Records<Remembered & { readonly at: number }>;
  readonly #waits = new Float64Array(MAX_LIMITS);

  constructor(keys: KeySpace, maxRecords: number, sweeps: boolean) {
    this.#keys = keys;
    this.#records = new Records(maxRecords, sweeps);
    this.#resets = new Records(maxRecords, sweeps);
  }

  /** Decides a check or a look of any policy. */
  decide(policy: Policy, key: string, cost: number, consume: boolean, now: number): Decision {
    this.#keys.sweep(policy, now);
    const part = { policy, key, cost };
    return consume && cost > 0 ? this.#take([part], "", now).decision : this.#look(part, now);
  }

  run(work: Work, now: number): Outcome {
    switch (work.kind) {
      case "take":
        this.#keys.sweep(work.parts[0]!.policy, now);
        return this.#recorded("take", work.parts, work.record, now, () => {
          return this.#take(work.parts, work.permit ?? "", now);
        });
      case "give":
        return this.#recorded("give", [work.part], work.record, now, () => {
          const { policy, cost } = work.part;
          if (this.#wasReset(work.part, work.takenAt, now)) {
            return this.#standing(work.part, false, now);
          }
          const state = this.#stateOf(work.part, now);
          giveBack(policy.limits, state, now, cost, work.takenAt);
          return this.#standing(work.part, true, now);
        });
      case "settle":
        return this.#settle(work.part, work.id, now);
      case "release":
      case "extend": {
        const state = this.#stateOf(work.part, now);
        const change = work.kind === "release" ? releasePermit : extendPermit;
        const done = change(work.part.policy.limits, state, now, work.permit);
        return this.#standing(work.part, done, now);
      }
    }
  }

  /** Forgets a key. What was taken before is not there to be given back any more. */
  reset(policy: Policy, key: string, now: number): void {
    this.#keys.remove(policy, key);
    const expiresAt = now + 1_000 * MAX_RECORD_MS;
    this.#resets.set(recordName(policy.name, key, ""), { expiresAt, at: now }, now);
  }

  /** Whether the key of a part was reset since `takenAt`. */
  #wasReset({ policy, key }: Part, takenAt: number, now: number): boolean {
    return takenAt <= (this.#resets.find(recordName(policy.name, key, ""), now)?.at ?? 0);
  }

  #recorded(
    kind: "take" | "give",
    parts: readonly Part[],
    record: RecordOptions | undefined,
    now: number,
    work: () => Outcome,
  ): Outcome {
    if (record === undefined) return work();
    const first = parts[0]!;
    const name = recordName(first.policy.name, first.key, record.id);
    const known = this.#records.find(name, now);
    const asked = askedOf(kind, parts);
    const limits = limitsOf(parts);
    if (known === undefined) {
      const outcome = work();
      const estimate =
        kind === "take" && parts.length === 1 && outcome.done ? first.cost : undefined;
      const expiresAt = now + record.ttlUs;
      this.#records.set(name, { expiresAt, asked, limits, outcome, estimate, settled: false }, now);
      return outcome;
    }
    if (known.asked !== asked) throw reusedId(record.id);
    return known.limits === limits ? known.outcome : this.#retell(parts, known.outcome, now);
  }

  /** Answers as recorded, in numbers of limits that have changed since. */
  #retell(parts: readonly Part[], recorded: Outcome, now: number): Outcome {
    const { allowed } = recorded.decision;
    const waits = parts.map(() => 0);
    const decisions = parts.map((part, index) => {
      const state = this.#stateOf(part, now);
      const wait = look(part.policy.limits, state, now, part.cost, this.#waits);
      // Denied is denied, also where there would be room by now: nothing was taken.
      waits[index] = allowed ? 0 : Math.max(wait, 1);
      return this.#decisionOf(part, waits[index]!, false, state, this.#waits, now);
    });
    return {
      decision: combineDecisions(decisions, waits),
      done: allowed,
      taken: [],
      at: recorded.at,
    };
  }

  #take(parts: readonly Part[], permit: string, now: number): Outcome {
    const located = this.#locate(parts, now);
    if (permit !== "" && located.some((one) => this.#holds(one, permit, now))) {
      return this.#standing(parts[0]!, true, now);
    }
    const waits = located.map(({ part, state, waits: own }) => {
      return look(part.policy.limits, state, now, part.cost, own);
    });
    const admitted = parts.every(({ policy }, index) => waits[index] === 0 || policy.shadow);
    const taken = waits.map((wait) => admitted && wait === 0);
    const decisions = located.map((one, index) => {
      const { part, state, place } = one;
      const wait = waits[index]!;
      if (taken[index]! && part.cost > 0)
        takeFrom(part.policy.limits, state, now, part.cost, permit);
      else if (one.inserted) place.table.remove(place.slot);
      if (part.cost > 0 && wait !== Number.POSITIVE_INFINITY && !one.inserted) {
        place.table.markDenied(place.slot, wait > 0);
      }
      return this.#decisionOf(part, wait, taken[index]!, state, one.waits, now);
    });
    const decision = combineDecisions(decisions, waits);
    return { decision, done: taken.every(Boolean), taken, at: now };
  }

  #holds({ part, state }: Located, permit: string, now: number): boolean {
    return part.policy.holds && holdsPermit(part.policy.limits, state, now, permit);
  }

  #settle(part: Part, id: string, now: number): Outcome {
    const record = this.#records.find(recordName(part.policy.name, part.key, id), now);
    if (record === undefined) return this.#standing(part, false, now);
    if (record.estimate !== undefined) {
      const { policy, cost } = part;
      const excess = cost - record.estimate;
      if (excess > 0) this.#charge(part, excess, now);
      else if (excess < 0 && !this.#wasReset(part, record.outcome.at, now)) {
        giveBack(policy.limits, this.#stateOf(part, now), now, -excess, record.outcome.at);
      }
      record.estimate = undefined;
      record.settled = true;
    }
    return this.#standing(part, record.settled, now);
  }

  #charge(part: Part, units: number, now: number): void {
    const [located] = this.#locate([part], now);
    chargeTo(part.policy.limits, located!.state, now, units);
  }

  /** How a key stands: what a look at a cost of 0 answers. */
  #standing({ policy, key }: Part, done: boolean, now: number): Outcome {
    return { decision: this.#look({ policy, key, cost: 0 }, now), done, taken: [], at: now };
  }

  #look(part: Part, now: number): Decision {
    const state = this.#stateOf(part, now);
    const wait = look(part.policy.limits, state, now, part.cost, this.#waits);
    return this.#decisionOf(part, wait, false, state, this.#waits, now);
  }

  #decisionOf(
    { policy, key, cost }: Part,
    wait: number,
    taken: boolean,
    { numbers, at }: KeyState,
    waits: Float64Array,
    now: number,
  ): Decision {
    return createDecision(policy, key, cost, wait, taken, numbers, at, now, "local", waits);
  }

  /** Returns a key's states; those of a key that is not known are written to nowhere. */
  #stateOf({ policy, key }: Part, now: number): KeyState {
    const place = this.#keys.find(policy, key, now) ?? this.#carry(policy, key, now);
    if (place !== undefined) return place.table.stateOf(place.slot);
    if (!this.#keys.findRoom(policy, now)) {
      const { table, slot } = this.#keys.overflow(policy, now);
      return table.stateOf(slot);
    }
    return freshState(policy);
  }

  /** Moves a key that was written under limits of another width. */
  #carry(policy: Policy, key: string, now: number): Place | undefined {
    const carried = this.#keys.takeCarried(policy, key, now);
    if (carried === undefined) return undefined;
    if (!this.#keys.findRoom(policy, now)) return this.#keys.overflow(policy, now);
    return this.#keys.insert(policy, key, carried.numbers, carried.entries, now);
  }

  /** Finds or makes a place for every part, none at the cost of another. */
  #locate(parts: readonly Part[], now: number): Located[] {
    const kept = new Map<KeyTable, Set<number>>();
    return parts.map((part) => {
      const { policy, key } = part;
      const known = this.#keys.find(policy, key, now) ?? this.#carry(policy, key, now);
      const place = known ?? this.#place(policy, key, kept, now);
      keep(kept, place);
      return {
        part,
        place,
        state: place.table.stateOf(place.slot),
        waits: new Float64Array(policy.limits.length),
        inserted: known === undefined && place.slot !== 0,
      };
    });
  }

  #place(policy: Policy, key: string, kept: KeptSlots, now: number): Place {
    if (!this.#keys.findRoom(policy, now, kept)) return this.#keys.overflow(policy, now);
    const { numbers, entries } = freshState(policy);
    return this.#keys.insert(policy, key, numbers, entries, now);
  }
}

function keep(kept: Map<KeyTable, Set<number>>, { table, slot }: Place): void {
  const slots = kept.get(table) ?? new Set();
  kept.set(table, slots.add(slot));
}

function freshState(policy: Policy): KeyState {
  const numbers = new Float64Array(policy.width);
  return { numbers, at: 0, entries: createKeyEntries(policy.limits) };
}
