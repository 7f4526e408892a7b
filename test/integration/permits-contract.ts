// What every store does of permits, through the calls of a limiter. Part of the contract of stores.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, slidingLog } from "tidegate";
import { eventually } from "../support/eventually.ts";
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
    limiter.setPolicy(policy, { limits: [held(4), slidingLog({ limit: 9, window: AGES })] });
    assert.equal(await left(), 1);
    await limiter.acquire(request);
    limiter.setPolicy(policy, { limits: [held(2)] });
    assert.equal((await limiter.acquire(request)).allowed, false);
    assert.equal(await limiter.release(permit), true);
    assert.equal(await left(), 1);
    limiter.setPolicy(policy, { limits: limitsOf(10).slice(0, 1) });
    assert.equal((await limiter.check(request)).remaining, 9);
    limiter.setPolicy(policy, { limits: [held(2)] });
    assert.equal(await left(), 2, "and are forgotten by then");
  });
}
