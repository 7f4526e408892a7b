// What is more than a plain check, in memory: limits with logs, permits or soft ones, several keys as one, request ids,
// reservations, refunds, leases. Twin of transact.lua and lease.lua: all are held equal by a differential test, so
// change both.

import { roomIn } from "../algorithms/elsewhere.ts";
import type { Gifts } from "../algorithms/gifts.ts";
import {
  chargeTo,
  extendPermit,
  findPermit,
  giveBack,
  type KeyState,
  look,
  type Receipt,
  releasePermit,
  takeFrom,
} from "../algorithms/key-state.ts";
import { DEMAND_US, grantOf, leftOf, noteDemand, windowLeft } from "../algorithms/lease.ts";
import { combineDecisions, createDecision, type Decision } from "../decision.ts";
import { MAX_LIMITS, MAX_RECORD_MS, type Policy } from "../policy/policy.ts";
import type { Counted } from "../ports/counting-store.ts";
import type { LeaseAsk, Outcome, Part, RecordName, RecordOptions, Work } from "../ports/store.ts";
import { isOverflow, type KeptSlots, type KeySpace, type Place, stateAt } from "./key-space.ts";
import type { KeyTable } from "./key-table.ts";
import { MemoryPasts } from "./memory-pasts.ts";
import { freshState, keep, permitName } from "./places.ts";
import { Records, recordName } from "./records.ts";
import { askedOf, isEstimate, limitsOf, reusedId } from "./work-print.ts";

/** An answer that was given under an id. */
interface Recorded {
  readonly expiresAt: number;
  readonly asked: string;
  readonly limits: string;
  readonly outcome: Outcome;
  readonly weight: number;
  /** The rules of the first part's policy. */
  readonly rules: string;
  settled: boolean;
  /** Whether what it took was given back, so that it must not be had under the id any more. */
  undone: boolean;
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
  readonly #pasts: MemoryPasts;
  readonly #waits = new Float64Array(MAX_LIMITS);
  /** Is told what keys were charged, net. */
  counted: Counted | undefined;

  constructor(keys: KeySpace, maxRecords: number, sweeps: boolean) {
    this.#keys = keys;
    this.#records = new Records(maxRecords, sweeps);
    this.#pasts = new MemoryPasts(maxRecords, sweeps);
  }

  /** Decides a check or a look of any policy. */
  decide(policy: Policy, key: string, cost: number, consume: boolean, now: number): Decision {
    this.#keys.sweep(policy, now);
    const part = { policy, key, cost };
    return consume && cost > 0 ? this.#take([part], "", now, 0).decision : this.#look(part, now);
  }

  run(work: Work, now: number): Outcome {
    switch (work.kind) {
      case "take":
        for (const { policy } of work.parts) this.#keys.sweep(policy, now);
        return this.#recorded("take", work.parts, work.record, now, () => {
          const { permit = "", receiptUs = 0, deniedUs = 0 } = work;
          return this.#take(work.parts, permit, now, receiptUs, deniedUs);
        });
      case "give":
        if (work.undoes !== undefined) this.#undo(work.undoes, now);
        return this.#recorded("give", [work.part], work.record, now, () => {
          const { part, takenAt, receipt } = work;
          const done = this.#give(part, part.cost, takenAt, receipt, now);
          return this.#standing(part, done, now);
        });
      case "lease":
        this.#keys.sweep(work.part.policy, now);
        return this.#lease(work.part, work.ask, now);
      case "settle":
        return this.#settle(work.part, work.id, now);
      case "release":
      case "extend": {
        const { limits } = work.part.policy;
        const change = work.kind === "release" ? releasePermit : extendPermit;
        const done = this.#holders(work.part, now).some((place) => {
          return change(limits, stateAt(place), now, permitName(place, work.part.key, work.permit));
        });
        return this.#standing(work.part, done, now);
      }
    }
  }

  /** Forgets a key. What was taken before is not there to be given back any more. */
  reset(policy: Policy, key: string, now: number): void {
    this.#keys.remove(policy, key);
    const past = this.#pasts.of(policy, key, now);
    this.#pasts.remember(policy, key, { ...past, resetAt: now }, MAX_RECORD_US, now);
  }

  /** Gives units of a part back, and answers whether they were taken since its key was reset last. */
  #give(part: Part, units: number, takenAt: number, receipt: Receipt | undefined, now: number) {
    const { policy, key } = part;
    const past = this.#pasts.find(policy, key, now);
    if (past !== undefined && takenAt <= past.resetAt) return false;
    const state = this.#stateOf(part, now);
    const before = this.counted === undefined ? 0 : roomIn(policy.limits, state, now);
    giveBack(policy.limits, state, now, units, takenAt, receipt, past?.gifts);
    this.counted?.(policy, key, before - roomIn(policy.limits, state, now));
    if (past !== undefined) this.#pasts.remember(policy, key, past, 0, now);
    return true;
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
    const asked = askedOf(kind, parts, record.whole);
    const limits = limitsOf(parts);
    if (known === undefined) {
      const outcome = work();
      const { rules } = first.policy;
      const expiresAt = now + record.ttlUs;
      const weight = (record.whole ?? parts).length;
      const value = {
        expiresAt,
        asked,
        limits,
        outcome,
        weight,
        rules,
        settled: false,
        undone: false,
      };
      this.#records.set(name, value, now);
      return outcome;
    }
    if (known.asked !== asked) throw reusedId(record.id);
    return known.limits === limits && !known.undone
      ? known.outcome
      : this.#retell(parts, known, now);
  }

  #undo({ first, id }: RecordName, now: number): void {
    const known = this.#records.find(recordName(first.policy.name, first.key, id), now);
    if (known !== undefined) known.undone = true;
  }

  /** Answers as recorded, or a denial where that was undone, in the numbers of now. */
  #retell(parts: readonly Part[], { outcome: recorded, undone }: Recorded, now: number): Outcome {
    const allowed = recorded.decision.allowed && !undone;
    const waits = parts.map(() => 0);
    const decisions = parts.map((part, index) => {
      const state = this.#stateOf(part, now);
      // What was undone binds where nothing else of what was asked does.
      const cost = undone ? 0 : part.cost;
      const wait = look(part.policy.limits, state, now, cost, this.#waits);
      // Denied is denied, also where there would be room by now: nothing was taken.
      waits[index] = allowed ? 0 : Math.max(wait, 1);
      return this.#decisionOf(part, waits[index]!, false, state, this.#waits, now);
    });
    return {
      decision: combineDecisions(decisions, waits),
      done: allowed,
      receipts: [],
      at: recorded.at,
    };
  }

  #take(
    parts: readonly Part[],
    permit: string,
    now: number,
    receiptUs: number,
    deniedUs = 0,
  ): Outcome {
    const located = this.#locate(parts, now);
    const held = permit === "" ? undefined : this.#findHeld(located, permit, now);
    if (held !== undefined) {
      for (const { place, inserted } of located) if (inserted) place.table.remove(place.slot);
      return { ...this.#standing(parts[0]!, true, now), held };
    }
    const waits = located.map(({ part, state, waits: own }) => {
      return Math.max(look(part.policy.limits, state, now, part.cost, own), deniedUs);
    });
    const admitted = parts.every(({ policy }, index) => waits[index] === 0 || policy.shadow);
    const receipts = located.map(({ part, state, place }, index) => {
      if (!admitted || waits[index]! > 0) return undefined;
      const gifts = receiptUs > 0 ? this.#keepGifts(part, receiptUs, now) : undefined;
      const name = permitName(place, part.key, permit);
      this.counted?.(part.policy, part.key, part.cost);
      return takeFrom(part.policy.limits, state, now, part.cost, name, gifts);
    });
    const decisions = located.map(({ part, state, place, inserted, waits: own }, index) => {
      const wait = waits[index]!;
      const taken = receipts[index] !== undefined;
      if (inserted && !(taken && part.cost > 0)) place.table.remove(place.slot);
      if (part.cost > 0 && wait !== Number.POSITIVE_INFINITY && !inserted) {
        place.table.markDenied(place.slot, wait > 0);
      }
      return this.#decisionOf(part, wait, taken, state, own, now);
    });
    const done = receipts.every((receipt) => receipt !== undefined);
    return { decision: combineDecisions(decisions, waits), done, receipts, at: now };
  }

  /** Sees that what is given back is remembered while a receipt may be used, and returns what has been. */
  #keepGifts({ policy, key }: Part, receiptUs: number, now: number): readonly Gifts[] | undefined {
    if (!hasBucket(policy)) return undefined;
    const past = this.#pasts.of(policy, key, now);
    this.#pasts.remember(policy, key, past, receiptUs, now);
    return past.gifts;
  }

  #findHeld(located: readonly Located[], permit: string, now: number): Outcome["held"] {
    for (const { part, place: own } of located) {
      if (!part.policy.holds) continue;
      for (const place of [own, this.#keys.overflow(part.policy, now)]) {
        const name = permitName(place, part.key, permit);
        const held = findPermit(part.policy.limits, stateAt(place), now, name);
        if (held) return { units: held.units, leftUs: held.expiresAt - now };
      }
    }
    return undefined;
  }

  #settle(part: Part, id: string, now: number): Outcome {
    const record = this.#records.find(recordName(part.policy.name, part.key, id), now);
    const outcome = record?.outcome;
    const receipt = isEstimate(record?.asked ?? "") ? outcome?.receipts[0] : undefined;
    if (receipt === undefined) return this.#standing(part, false, now);
    if (!record!.settled) {
      const excess = part.cost - receipt.cost;
      // Under other rules a mark means something else; then only what an instant tells apart is given back.
      const own = record!.rules === part.policy.rules ? receipt : undefined;
      if (excess > 0) this.#charge(part, excess, now);
      else if (excess < 0) this.#give(part, -excess, outcome!.at, own, now);
      record!.settled = true;
    }
    return this.#standing(part, true, now);
  }

  #lease(part: Part, ask: LeaseAsk, now: number): Outcome {
    const { policy, key, cost: least } = part;
    for (const { units, takenAt, receipt } of ask.backs) {
      // The gifts that its marks are among may be forgotten by then.
      if (now - takenAt > ask.keepUs && hasBucket(policy)) continue;
      this.#give(part, units, takenAt, receipt, now);
    }
    if (ask.owed > 0) this.#charge(part, ask.owed, now);
    const [located] = this.#locate([part], now);
    const { state, waits, place, inserted } = located!;
    look(policy.limits, state, now, 0, waits);
    const past = this.#pasts.of(policy, key, now);
    const { demand, demands } = noteDemand(past.demands, ask.node, ask.want, now);
    const room = Math.max(leftOf(policy.limits, state, now), 0);
    const units = ask.want > 0 ? grantOf(room, ask.want, least, demand, ask.spare, ask.most) : 0;
    // It is kept while what was granted may be given back, and while what a node wants counts.
    const keepUs = units > 0 ? ask.keepUs : ask.want > 0 ? DEMAND_US : 0;
    if (keepUs > 0 || past.expiresAt > now) {
      this.#pasts.remember(policy, key, { ...past, demands }, keepUs, now);
    }
    const receipt =
      units > 0 ? takeFrom(policy.limits, state, now, units, "", past.gifts) : undefined;
    // What is told is how long the least is not there after what was granted.
    const wait = look(policy.limits, state, now, least, waits);
    if (inserted && units === 0) place.table.remove(place.slot);
    const lease = {
      units,
      windowLeftUs: windowLeft(policy.limits, state, now),
      debt: Math.max(-leftOf(policy.limits, state, now), 0),
      numbers: state.numbers.slice(state.at, state.at + policy.width),
    };
    const decision = this.#decisionOf(part, wait, false, state, waits, now);
    return { decision, done: units > 0, receipts: [receipt], at: now, lease };
  }

  #charge(part: Part, units: number, now: number): void {
    const [located] = this.#locate([part], now);
    chargeTo(part.policy.limits, located!.state, now, units);
    this.counted?.(part.policy, part.key, units);
  }

  /** How a key stands: what a look at a cost of 0 answers. */
  #standing({ policy, key }: Part, done: boolean, now: number): Outcome {
    return { decision: this.#look({ policy, key, cost: 0 }, now), done, receipts: [], at: now };
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
    if (place !== undefined) return stateAt(place);
    if (!this.#keys.findRoom(policy, now)) return stateAt(this.#keys.overflow(policy, now));
    return freshState(policy);
  }

  /** Where a permit of a key may be held: with the key, or if that had no room then, with all that had none. */
  #holders({ policy, key }: Part, now: number): Place[] {
    const own = this.#keys.find(policy, key, now) ?? this.#carry(policy, key, now);
    return [...(own === undefined ? [] : [own]), this.#keys.overflow(policy, now)];
  }

  /** Moves a key that was written under limits of another width. */
  #carry(policy: Policy, key: string, now: number, kept?: KeptSlots): Place | undefined {
    const carried = this.#keys.takeCarried(policy, key, now, kept);
    if (carried === undefined) return undefined;
    if (!this.#keys.findRoom(policy, now, kept)) return this.#keys.overflow(policy, now);
    return this.#keys.insert(policy, key, carried.numbers, carried.entries, now);
  }

  /** Finds or makes a place for every part, none at the cost of another. */
  #locate(parts: readonly Part[], now: number): Located[] {
    const kept = new Map<KeyTable, Set<number>>();
    return parts.map((part) => {
      const { policy, key } = part;
      const known = this.#keys.find(policy, key, now) ?? this.#carry(policy, key, now, kept);
      const place = known ?? this.#place(policy, key, kept, now);
      keep(kept, place);
      return {
        part,
        place,
        state: stateAt(place),
        waits: new Float64Array(policy.limits.length),
        inserted: known === undefined && !isOverflow(place),
      };
    });
  }

  #place(policy: Policy, key: string, kept: KeptSlots, now: number): Place {
    if (!this.#keys.findRoom(policy, now, kept)) return this.#keys.overflow(policy, now);
    const { numbers, entries } = freshState(policy);
    return this.#keys.insert(policy, key, numbers, entries, now);
  }
}

const MAX_RECORD_US = 1_000 * MAX_RECORD_MS;

/** Whether receipts hold marks that gifts move. */
function hasBucket({ limits }: Policy): boolean {
  return limits.some(({ algorithm }) => algorithm === "token-bucket");
}
