// What every store does of permits, through the calls of a limiter. Part of the contract of stores.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, slidingLog } from "tidegate";
import { eventually } from "../support/eventually.ts";
import { patiently } from "../support/patient.ts";
import { AGES, AWKWARD, limitsOf, type OpenLimiter, policiesOf } from "./contract-policies.ts";

/**
 * Runs the contract of permits.
 * @param suite tells policies of stores apart that share a server.
 */
export function permitsContract(open: OpenLimiter, suite: number): void {
  const limiterOf = policiesOf(open, `permits${suite}`);

  test("permits: at most so many, released once, whatever names them", async () => {
    const limits = [
      concurrency({ limit: 5, lease: "1h" }),
      slidingLog({ limit: 100, window: AGES }),
    ];
    const { limiter, policy, request, left } = limiterOf(limits);
    const permits = await Promise.all(Array.from({ length: 12 }, () => limiter.acquire(request)));
    const held = permits.filter(({ allowed }) => allowed);
    assert.equal(held.length, 5);
    assert.deepEqual(permits.at(-1)!.limitName, `${policy}-1`);
    assert.deepEqual(
      await Promise.all(held.flatMap((one) => [limiter.release(one), limiter.release(one)])),
      held.flatMap(() => [true, false]),
    );
    assert.equal(await left(), 5);
    const three = await limiter.acquire({ ...request, cost: 3, id: "three" });
    assert.deepEqual([three.allowed, three.remaining], [true, 2]);
    assert.equal((await limiter.acquire({ ...request, cost: 3, id: "three" })).remaining, 2);
    assert.equal(await limiter.extend(three), true);
    assert.equal(await limiter.release(three), true);
    for (const id of AWKWARD) {
      const permit = { ...request, id };
      assert.equal((await limiter.acquire(permit)).allowed, true, JSON.stringify(id));
      assert.deepEqual(
        [
          await limiter.extend(permit),
          await limiter.release(permit),
          await limiter.release(permit),
        ],
        [true, true, false],
        JSON.stringify(id),
      );
    }
    await assert.rejects(limiter.check(request), { field: "policy" });
  });

  test("a permit acquired again under its id is told as it is held, and its lease runs on", async () => {
    const limits = [
      concurrency({ limit: 5, lease: "2h" }),
      concurrency({ limit: 5, lease: "1h", name: "short" }),
    ];
    const { limiter, policy, request, left } = limiterOf(limits);
    for (const [index, id] of AWKWARD.entries()) {
      const own = { ...request, key: `k${index}`, id };
      const cost = 1 + (index % 4);
      const first = await limiter.acquire({ ...own, cost });
      assert.deepEqual([first.cost, first.leaseMs], [cost, 3_600_000], JSON.stringify(id));
      for (const asked of [cost, 1, 9]) {
        const again = await limiter.acquire({ ...own, cost: asked });
        assert.deepEqual([again.allowed, again.cost], [true, cost], JSON.stringify(id));
        assert.ok(again.leaseMs <= 3_600_000 && again.leaseMs > 3_000_000, `${again.leaseMs}`);
      }
      assert.equal(await left(own.key), 5 - cost);
    }
    const held = { ...request, id: "a" };
    await limiter.acquire(held);
    await eventually(async () => {
      assert.ok((await limiter.acquire(held)).leaseMs < 3_600_000, "some of it has passed");
    });
    limiter.setPolicy(policy, patiently({ limits: [concurrency({ limit: 5, lease: "3h" })] }));
    assert.ok((await limiter.acquire(held)).leaseMs <= 7_200_000, "the lease it was given");
    assert.equal(await limiter.extend(held), true);
    assert.ok((await limiter.acquire(held)).leaseMs > 7_200_000, "and now the one of now");
  });

  test("trap 10: a permit whose holder is gone comes back when its lease ends, and an extended one later", async () => {
    const { limiter, request, left } = limiterOf([concurrency({ limit: 2, lease: 300 })]);
    const [gone, kept] = await Promise.all([limiter.acquire(request), limiter.acquire(request)]);
    assert.equal((await limiter.acquire(request)).allowed, false);
    await eventually(async () => {
      assert.equal(await limiter.extend(kept), true);
      assert.equal(await left(), 1);
    });
    assert.deepEqual([await limiter.extend(gone), await limiter.release(gone)], [false, false]);
    assert.equal(await limiter.release(kept), true);
    assert.equal(await left(), 2);
  });

  test("permits that are held stay so while limits change, and are no consumption for others", async () => {
    const held = (limit: number) => concurrency({ limit, lease: "1h" });
    const { limiter, policy, request, left } = limiterOf([held(5)]);
    const permit = await limiter.acquire({ ...request, cost: 3 });
    limiter.setPolicy(
      policy,
      patiently({ limits: [held(4), slidingLog({ limit: 9, window: AGES })] }),
    );
    assert.equal(await left(), 1);
    await limiter.acquire(request);
    limiter.setPolicy(policy, patiently({ limits: [held(2)] }));
    assert.equal((await limiter.acquire(request)).allowed, false);
    assert.equal(await limiter.release(permit), true);
    assert.equal(await left(), 1);
    limiter.setPolicy(policy, patiently({ limits: limitsOf(10).slice(0, 1) }));
    assert.equal((await limiter.check(request)).remaining, 9);
    limiter.setPolicy(policy, patiently({ limits: [held(2)] }));
    assert.equal(await left(), 2, "and are forgotten by then");
  });
}
