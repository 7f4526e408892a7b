// What every store does of leases: it debits what it grants at once, shares what there is by what all nodes ask for,
// takes back what was not spent, and knows of debt. Part of the contract of stores.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, type Limit, type Store, tokenBucket } from "tidegate";
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";
import type { LeaseAsk, LeaseBack, Outcome } from "../../packages/tidegate/src/ports/store.ts";
import { eventually } from "../support/eventually.ts";
import { AGES, AWKWARD, limitsOf } from "./contract-policies.ts";

const LEASABLE = ["token-bucket", "fixed-window", "sliding-window", "calendar-window"];

/** Runs the contract over the store that `open` returns. `suite` tells policies apart that share a server. */
export function leasesContract(open: () => Store, suite: number): void {
  let runs = 0;
  const policyOf = (limits: readonly Limit[]): Policy => {
    runs += 1;
    return createPolicy(`leases${suite}-${runs}`, { limits, deadline: "1s" });
  };
  const leasable = (limit: number) => {
    return limitsOf(limit).filter(({ algorithm }) => LEASABLE.includes(algorithm));
  };
  const left = async (store: Store, policy: Policy, key = "k") => {
    return (await store.decide(policy, key, 0, false)).remaining;
  };

  test("a lease is debited at once, and what is left of it is given back", async () => {
    for (const limit of leasable(100)) {
      const store = open();
      const policy = policyOf([limit]);
      const outcome = await borrow(store, policy, { want: 30 });
      assert.deepEqual(grantOf(outcome), [30, 0], limit.algorithm);
      assert.equal(outcome.done, true);
      assert.equal(outcome.decision.remaining, 70, limit.algorithm);
      assert.equal(await left(store, policy), 70);
      const back = { units: 12, takenAt: outcome.at, receipt: outcome.receipts[0]! };
      const given = await borrow(store, policy, { backs: [back] });
      assert.deepEqual(grantOf(given), [0, 0]);
      assert.deepEqual(given.receipts, [undefined]);
      assert.equal(await left(store, policy), 82, limit.algorithm);
    }
  });

  test("what is there is shared by what all nodes ask for, and never more than that is granted", async () => {
    for (const limit of leasable(100)) {
      const store = open();
      const policy = policyOf([limit]);
      const names = Array.from({ length: 8 }, (_, index) => `node-${index}`);
      const asks = names.map((node) => borrow(store, policy, { node, want: 40 }));
      const grants = (await Promise.all(asks)).map((outcome) => outcome.lease!.units);
      // By 40 of 40, 40 of 80, 40 of 120, ...
      assert.deepEqual(grants, [40, 30, 10, 5, 3, 2, 1, 1], limit.algorithm);
      const rest = 100 - grants.reduce((sum, units) => sum + units, 0);
      assert.equal(await left(store, policy), rest, limit.algorithm);
    }
  });

  test("the least that is of use is granted where it is there, and said to be there or not", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 20, window: AGES })]);
    await borrow(store, policy, { node: "greedy", want: 10 });
    const least = await borrow(store, policy, { want: 8, least: 8 });
    assert.deepEqual([least.lease!.units, least.decision.allowed], [8, false]);
    const short = await borrow(store, policy, { node: "third", want: 5, least: 5 });
    assert.deepEqual([short.lease!.units, short.decision.allowed], [0, false]);
    assert.ok(short.decision.retryAfterMs! > 1_000);
    assert.equal(short.done, false);
    assert.equal(await left(store, policy), 2);
  });

  test("a node alone is granted a part of what nobody wants on top", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 100, window: AGES })]);
    assert.deepEqual(grantOf(await borrow(store, policy, { want: 20, spare: 0.25 })), [40, 0]);
    assert.deepEqual(grantOf(await borrow(store, policy, { want: 20, spare: 1 })), [60, 0]);
    assert.deepEqual(grantOf(await borrow(store, policy, { want: 20, spare: 1 })), [0, 0]);
  });

  test("all limits have what is granted, and their first window ends it", async () => {
    const store = open();
    const policy = policyOf([
      fixedWindow({ limit: 50, window: AGES }),
      fixedWindow({ limit: 9, window: "36499d" }),
      tokenBucket({ capacity: 30, refill: "1/1d" }),
    ]);
    const outcome = await borrow(store, policy, { want: 50 });
    assert.equal(outcome.lease!.units, 9);
    const { windowLeftUs } = outcome.lease!;
    assert.ok(windowLeftUs > 1e12 && windowLeftUs < 36_499 * 86_400_000_000, `${windowLeftUs}`);
    const bucket = policyOf([tokenBucket({ capacity: 5, refill: "1/1d" })]);
    const { lease } = await borrow(store, bucket, { want: 5 });
    assert.equal(lease!.windowLeftUs, Number.POSITIVE_INFINITY);
  });

  test("what a node owes is charged, as debt where it is not there; nothing is granted till that is paid", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 10, window: AGES })]);
    assert.deepEqual(grantOf(await borrow(store, policy, { owed: 4, want: 3 })), [3, 0]);
    assert.deepEqual(grantOf(await borrow(store, policy, { owed: 5, want: 3 })), [0, 2]);
    assert.equal(await left(store, policy), 0);
    await store.run({
      kind: "give",
      part: { policy, key: "k", cost: 3 },
      takenAt: Number.POSITIVE_INFINITY,
    });
    assert.deepEqual(grantOf(await borrow(store, policy, { want: 1 })), [1, 0]);
  });

  test("after a reset nothing of before is given back", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 10, window: AGES })]);
    const outcome = await borrow(store, policy, { want: 10 });
    await store.reset(policy, "k");
    await store.decide(policy, "k", 4, true);
    const back = { units: 10, takenAt: outcome.at, receipt: outcome.receipts[0]! };
    await borrow(store, policy, { backs: [back] });
    assert.equal(await left(store, policy), 6);
  });

  test("a lease of limits that have changed meanwhile gives back what was taken", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 10, window: AGES })]);
    const larger = createPolicy(policy.name, {
      limits: [fixedWindow({ limit: 25, window: AGES })],
    });
    const outcome = await borrow(store, policy, { want: 10 });
    assert.equal(await left(store, larger), 15);
    const back = { units: 6, takenAt: outcome.at, receipt: outcome.receipts[0]! };
    await borrow(store, policy, { backs: [back] });
    assert.equal(await left(store, larger), 21);
  });

  test("leases, checks and looks of one turn are done in the order in which they were asked for", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 10, window: AGES })]);
    const [first, second, third, last] = await Promise.all([
      store.decide(policy, "k", 2, true),
      borrow(store, policy, { want: 6 }),
      store.decide(policy, "k", 2, true),
      borrow(store, policy, { node: "other", want: 6 }),
    ]);
    assert.deepEqual([first.remaining, second.lease!.units, third.remaining], [8, 6, 0]);
    assert.deepEqual(grantOf(last), [0, 0]);
  });

  test("keys are apart, and their demands are", async () => {
    const store = open();
    const policy = policyOf([fixedWindow({ limit: 10, window: AGES })]);
    const asks = AWKWARD.flatMap((key) => [
      borrow(store, policy, { key, want: 10, node: "a" }),
      borrow(store, policy, { key, want: 10, node: "b" }),
    ]);
    for (const [index, outcome] of (await Promise.all(asks)).entries()) {
      assert.deepEqual(grantOf(outcome), [index % 2 === 0 ? 10 : 0, 0], AWKWARD[index >> 1]);
    }
  });

  test("what a node wanted is forgotten after a second", async () => {
    const store = open();
    const policy = policyOf([tokenBucket({ capacity: 1_000, refill: "1/1d" })]);
    await borrow(store, policy, { node: "gone", want: 600 });
    let outcome = await borrow(store, policy, { want: 200 });
    assert.equal(outcome.lease!.units, 100, "of 800");
    await eventually(async () => {
      const { at, lease, receipts } = outcome;
      const back = { units: lease!.units, takenAt: at, receipt: receipts[0]! };
      outcome = await borrow(store, policy, { want: 200, backs: [back] });
      assert.equal(outcome.lease!.units, 200);
    });
  });
}

/** What a test says of what it asks; the rest is as of a node that asks for nothing. */
type Ask = Partial<LeaseAsk> & {
  readonly key?: string;
  readonly least?: number;
  readonly backs?: readonly LeaseBack[];
};

async function borrow(store: Store, policy: Policy, asked: Ask): Promise<Outcome> {
  const { key = "k", least, ...rest } = asked;
  const ask = { node: "node", want: 0, spare: 0, keepUs: 4_000_000, owed: 0, backs: [], ...rest };
  const cost = least ?? Math.min(ask.want, 1);
  return store.run({ kind: "lease", part: { policy, key, cost }, ask });
}

function grantOf({ lease }: Outcome): number[] {
  return [lease!.units, lease!.debt];
}
