// Holds what was admitted by a store that all nodes share, or from its leases, against the limits: anew where it came
// back empty; and where it failed over, as its replica knows it.

import type { Source } from "../../decision.ts";
import { failoversOf, type StoreFault } from "../check-faults.ts";
import { Admissions } from "./admissions.ts";
import { type BoundCheck, judge, roundedUp } from "./judge.ts";
import type { Admission, Allowance } from "./limit-account.ts";
import { type Subject, sayUnits } from "./subject.ts";

/**
 * All nodes together keep the limits by the store's clock: before a failover by what the store had admitted then, and
 * after it by all but what was lost, which may be admitted again and no more than that.
 */
export function storeCheck(subject: Subject): BoundCheck {
  const histories = new Histories(subject);
  const forgotUs = forgettings(subject);
  let degraded = 0;
  return {
    answered: ({ request: { key, cost }, decision, decidedUs }) => {
      if (!decision.allowed) return;
      if (!isOfStore(decision.source)) {
        degraded += cost;
        return;
      }
      const epoch = forgotUs.filter((atUs) => atUs <= decidedUs).length;
      histories.add(String(epoch), key, { atUs: decidedUs, cost, trueUs: decidedUs });
    },
    verdict: () => {
      const { limits } = subject.configuration.policy;
      const allowanceOf = (index: number): Allowance => {
        return { holdUs: 0, beyond: roundedUp(subject, limits[index]!) };
      };
      const where = `on all nodes together${sayLost(histories.lostUnits)}${sayDegraded(degraded)}`;
      return judge(subject, histories.all(), allowanceOf, where);
    },
  };
}

/** The same of what is spent from leases, which hold over, and outlive what the store forgets or loses. */
export function leaseCheck(subject: Subject): BoundCheck {
  const admissions = new Admissions();
  const again = forgettings(subject).length;
  const leases = leaseAllowance(subject);
  const sinceUs = new Map<string, number>();
  let degraded = 0;
  return {
    answered: ({ request: { key, cost, atUs }, decision, decidedUs }) => {
      sinceUs.set(key, Math.min(atUs, sinceUs.get(key) ?? atUs));
      if (!decision.allowed) return;
      if (isOfStore(decision.source)) {
        admissions.add("", key, { atUs: decidedUs, cost, trueUs: decidedUs });
      } else degraded += cost;
    },
    verdict: ({ lostUnits }) => {
      const { limits } = subject.configuration.policy;
      const allowanceOf = (index: number, key: string): Allowance => {
        const { holdUs, beyond } = leases(index);
        const limit = limits[index]!;
        const more = 2 * again * limit.limit + roundedUp(subject, limit);
        // What was debited and lost may be spent, or given back, and be there again.
        const allowance = { holdUs, beyond: beyond + more + (lostUnits.get(key) ?? 0) };
        return { ...allowance, sinceUs: sinceUs.get(key)! };
      };
      const lost = sayLost([...lostUnits.values()].reduce((sum, units) => sum + units, 0));
      const where = `on all nodes together, and what leases may hold over${lost}`;
      return judge(subject, [admissions], allowanceOf, `${where}${sayDegraded(degraded)}`);
    },
  };
}

/** What was admitted, with what its store lost, as each of its servers knew it. */
class Histories {
  /** Units that failovers lost. */
  lostUnits = 0;
  readonly #failovers: readonly StoreFault[];
  readonly #startUs: number;
  readonly #kept = new Admissions();
  /** All that was admitted, where there are failovers: by which it was lost, if any. */
  readonly #admitted: (readonly [
    group: string,
    key: string,
    admission: Admission,
    lostBy: number,
  ])[] = [];

  constructor({ scenario, startUs }: Subject) {
    this.#failovers = failoversOf(scenario.faults);
    this.#startUs = startUs;
  }

  add(group: string, key: string, admission: Admission): void {
    const lostBy = this.#lostBy(admission.atUs);
    if (this.#failovers.length > 0) this.#admitted.push([group, key, admission, lostBy]);
    if (lostBy === Number.POSITIVE_INFINITY) this.#kept.add(group, key, admission);
    else this.lostUnits += admission.cost;
  }

  /** As the last server knows it, and as each did that was lost. */
  all(): readonly Admissions[] {
    const before = this.#failovers.map(({ atUs }, index) => {
      const known = new Admissions();
      for (const [group, key, admission, lostBy] of this.#admitted) {
        const isIn = admission.atUs <= this.#startUs + atUs && lostBy >= index;
        if (isIn) known.add(group, key, admission);
      }
      return known;
    });
    return [this.#kept, ...before];
  }

  /** The first failover that lost what was done at an instant; Infinity where none did. */
  #lostBy(atUs: number): number {
    const index = this.#failovers.findIndex((failover) => {
      const leftUs = this.#startUs + failover.atUs;
      return leftUs - failover.losesUs < atUs && atUs <= leftUs;
    });
    return index === -1 ? Number.POSITIVE_INFINITY : index;
  }
}

function isOfStore(source: Source): boolean {
  return source === "store" || source === "lease" || source === "cache";
}

/** When the store came back empty. */
function forgettings({ scenario, startUs }: Subject): readonly number[] {
  return scenario.faults.flatMap((fault) => {
    return "forgets" in fault && fault.forgets ? [startUs + fault.untilUs] : [];
  });
}

/** What is debited may be spent a lease's time later, and what is lent is part of the limit. */
function leaseAllowance({ configuration }: Subject): (limit: number) => Allowance {
  const { syncIntervalMs, maxOvershoot, limits } = configuration.policy;
  const holdUs = Math.max(1_000_000, 2_000 * syncIntervalMs);
  return (index) => {
    const beyond = Math.floor(maxOvershoot * limits[index]!.limit);
    // What is owed of a window before may round to one more.
    return { holdUs, beyond: beyond === 0 ? 0 : beyond + 1 };
  };
}

function sayLost(units: number): string {
  return units === 0 ? "" : `, and the ${sayUnits(units)} that a failover lost`;
}

function sayDegraded(units: number): string {
  return units === 0 ? "" : `; ${sayUnits(units)} by the failure policy beside`;
}
