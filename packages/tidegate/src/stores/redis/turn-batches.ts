// What one turn of the event loop asks, by Cluster slot: one call of each script, or several, so that what is asked of
// a key is done in the order in which it was asked.

import type { Policy } from "../../policy/policy.ts";
import { Batch, type PendingCheck, type ScriptBatch } from "./batch.ts";
import type { KeyNames } from "./key.ts";
import { LeaseBatch, type PendingLease } from "./lease-batch.ts";
import type { Script, Scripts } from "./script.ts";
import { partsOf } from "./work-answer.ts";
import { type PendingWork, WorkBatch } from "./work-batch.ts";

/** What they need. */
export interface TurnBatchesOptions {
  readonly scripts: Scripts;
  readonly nameOf: KeyNames;
  /** How much of what is asked goes out in one call. */
  readonly maxBatch: number;
  readonly send: (batch: ScriptBatch, script: Script) => void;
}

/** What waits for the turn to end, of one Cluster slot. */
interface SlotBatches {
  checks: Batch | undefined;
  leases: LeaseBatch | undefined;
  works: WorkBatch | undefined;
}

/** What waits for the turn to end. */
export class TurnBatches {
  readonly #options: TurnBatchesOptions;
  /** By slot. A new map for each turn: see flush. */
  #slots = new Map<number, SlotBatches>();

  constructor(options: TurnBatchesOptions) {
    this.#options = options;
  }

  /** Adds a check. Throws, and adds nothing, where the application's hash tag does. */
  addCheck(slot: number, policy: Policy, check: PendingCheck): void {
    const batches = this.#batchesOf(slot);
    // What was asked before of the same key is to be decided before.
    if (batches.works?.has(policy.name, check.key)) this.#sendWorks(batches);
    if (batches.leases?.has(policy.name, check.key)) this.#sendLeases(batches);
    if (batches.checks?.takes(policy, check.key) === false) this.#sendChecks(batches);
    const checks = batches.checks ?? new Batch(this.#options.nameOf);
    checks.add(policy, check);
    batches.checks = checks;
    if (this.#isFull(checks)) this.#sendChecks(batches);
  }

  /** Adds a question about a lease, as a check is added. */
  addLease(slot: number, pending: PendingLease): void {
    const { part, ask } = pending.work;
    const batches = this.#batchesOf(slot);
    if (batches.works?.has(part.policy.name, part.key)) this.#sendWorks(batches);
    if (batches.checks?.has(part.policy.name, part.key)) this.#sendChecks(batches);
    if (batches.leases?.takes(pending.work) === false) this.#sendLeases(batches);
    const leases = batches.leases ?? new LeaseBatch(this.#options.nameOf, ask.node);
    leases.add(pending);
    batches.leases = leases;
    if (this.#isFull(leases)) this.#sendLeases(batches);
  }

  /** Adds work, as a check is added. */
  addWork(slot: number, pending: PendingWork): void {
    const parts = partsOf(pending.work);
    const batches = this.#batchesOf(slot);
    if (parts.some(({ policy, key }) => batches.checks?.has(policy.name, key))) {
      this.#sendChecks(batches);
    }
    if (parts.some(({ policy, key }) => batches.leases?.has(policy.name, key))) {
      this.#sendLeases(batches);
    }
    if (batches.works?.takes(pending.work) === false) this.#sendWorks(batches);
    const works = batches.works ?? new WorkBatch(this.#options.nameOf);
    works.add(pending);
    batches.works = works;
    if (this.#isFull(works)) this.#sendWorks(batches);
  }

  /** Sends all of it. */
  flush(): void {
    if (this.#slots.size === 0) return;
    const slots = this.#slots;
    // Not clear(): V8 links the table that a map leaves behind to its next one, so that once one of them has become
    // old, every batch after it would outlive the collections of young garbage. They took 10 ms each.
    this.#slots = new Map();
    for (const batches of slots.values()) {
      this.#sendChecks(batches);
      this.#sendLeases(batches);
      this.#sendWorks(batches);
    }
  }

  #batchesOf(slot: number): SlotBatches {
    let batches = this.#slots.get(slot);
    if (batches === undefined) {
      batches = { checks: undefined, leases: undefined, works: undefined };
      this.#slots.set(slot, batches);
    }
    return batches;
  }

  #isFull({ size }: ScriptBatch): boolean {
    return size >= this.#options.maxBatch;
  }

  #sendChecks(batches: SlotBatches): void {
    if (batches.checks === undefined) return;
    this.#options.send(batches.checks, this.#options.scripts.decide);
    batches.checks = undefined;
  }

  #sendLeases(batches: SlotBatches): void {
    if (batches.leases === undefined) return;
    this.#options.send(batches.leases, this.#options.scripts.lease);
    batches.leases = undefined;
  }

  #sendWorks(batches: SlotBatches): void {
    if (batches.works === undefined) return;
    this.#options.send(batches.works, this.#options.scripts.transact);
    batches.works = undefined;
  }
}
