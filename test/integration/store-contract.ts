// What every store does, whatever it is made of. Run over memory, Redis and Redis Cluster, and over every client.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type CheckRequest,
  createLimiter,
  fixedWindow,
  type Limiter,
  type PolicyOptions,
  type Store,
  tokenBucket,
} from "tidegate";
import { eventually } from "../support/eventually.ts";
import { patient } from "../support/patient.ts";
import { callsContract } from "./calls-contract.ts";
import { AGES } from "./contract-policies.ts";
import { leasesContract } from "./leases-contract.ts";
import { permitsContract } from "./permits-contract.ts";

/** Opens what a suite runs on. `createStore` opens one more store on the same counts. */
export interface StoreUnderTest {
  createStore(): Store;
  close(): Promise<void>;
}

/** Keys that are easily taken for one another when they are joined, escaped or cut carelessly. */
const AWKWARD_KEYS = [
  ..."a b:c b_c {a} a} {} %7D } % %25 api:a a:b:c * ? [ab] \\ ' \" u\u0308 ü 😀 __proto__".split(
    " ",
  ),
  ...["\0", "\n", "\r\n", " ", "\ud800", "\udc00", "%uD800", "\ufffd", "x".repeat(1_024)],
];

let suites = 0;

/** Runs the contract over one store. */
export function storeContract(
  name: string,
  open: () => Promise<StoreUnderTest>,
  options: { skip: string | false },
): void {
  describe(`store contract: ${name}`, options, () => {
    let under: StoreUnderTest;
    let limiters: Limiter[] = [];
    const stores: Store[] = [];
    let runs = 0;
    suites += 1;
    const suite = suites;
    before(async () => {
      under = await open();
    });
    after(async () => {
      await Promise.all(limiters.map((limiter) => limiter.close()));
      limiters = [];
      await Promise.all(stores.map((store) => store.detach(undefined)));
      await under.close();
    });
    /** A limiter with one policy, whose name is not used by any other test. */
    const limiterWith = (limits: PolicyOptions["limits"], policy = `p${suite}-${runs}`) => {
      runs += 1;
      const limiter = createLimiter({
        store: under.createStore(),
        policies: patient({ [policy]: { limits } }),
      });
      limiters.push(limiter);
      return {
        limiter,
        policy,
        check: (key: string, cost?: number) => limiter.check(request(policy, key, cost)),
        peek: (key: string, cost?: number) => limiter.peek(request(policy, key, cost)),
      };
    };

    test("admits exactly the limit, however many ask at once", async () => {
      const { check } = limiterWith([fixedWindow({ limit: 50, window: AGES })]);
      const decisions = await Promise.all(Array.from({ length: 500 }, () => check("k")));
      assert.equal(decisions.filter(({ allowed }) => allowed).length, 50);
      assert.deepEqual(
        decisions.slice(0, 50).map(({ remaining }) => remaining),
        Array.from({ length: 50 }, (_, index) => 49 - index),
        "in the order in which they came",
      );
    });

    test("nodes share the count", async () => {
      const policy = `shared${suite}`;
      const nodes = [1, 2, 3].map(() => {
        return limiterWith([fixedWindow({ limit: 100, window: AGES })], policy);
      });
      const asks = Array.from({ length: 300 }, (_, index) => nodes[index % 3]!.check("k", 1));
      const decisions = await Promise.all(asks);
      assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
      await nodes[0]!.limiter.close();
      assert.equal((await nodes[1]!.peek("k")).allowed, false);
    });

    test("several limits: all or nothing", async () => {
      const { check, peek } = limiterWith([
        fixedWindow({ limit: 10, window: AGES, name: "large" }),
        tokenBucket({ capacity: 4, refill: "1/1d", name: "small" }),
      ]);
      assert.equal((await check("k", 3)).remaining, 1);
      const denied = await check("k", 2);
      assert.equal(denied.allowed, false);
      assert.equal(denied.limitName, "small");
      assert.equal(denied.remaining, 1);
      const seen = await peek("k", 8);
      assert.equal(seen.retryAfterMs, null);
      const asks = await Promise.all(Array.from({ length: 5 }, () => check("k")));
      assert.equal(asks.filter(({ allowed }) => allowed).length, 1);
      assert.equal((await peek("k", 0)).limitName, "small");
    });

    test("a look takes nothing, and a cost above the limit is never there", async () => {
      const { check, peek } = limiterWith([tokenBucket({ capacity: 5, refill: "1/1d" })]);
      assert.deepEqual(await peek("k"), { ...(await peek("k")), remaining: 5, allowed: true });
      assert.equal((await check("k", 0)).remaining, 5);
      const never = await check("k", 6);
      assert.equal(never.allowed, false);
      assert.equal(never.retryAfterMs, null);
      assert.equal((await check("k", 5)).remaining, 0);
      const look = await check("k", 0);
      assert.equal(look.allowed, true);
      assert.equal(look.remaining, 0);
      assert.equal((await peek("k")).allowed, false);
    });

    test("keys are apart, however they are written", async () => {
      const { limiter, policy } = limiterWith([fixedWindow({ limit: 1, window: AGES })]);
      const requests = AWKWARD_KEYS.map((key) => request(policy, key));
      assert.equal(new Set(AWKWARD_KEYS).size, AWKWARD_KEYS.length);
      const first = await limiter.checkAll(requests);
      assert.deepEqual(
        first.map(({ allowed }) => allowed),
        AWKWARD_KEYS.map(() => true),
      );
      assert.deepEqual(
        first.map(({ key }) => key),
        AWKWARD_KEYS,
      );
      const second = await limiter.checkAll(requests);
      assert.deepEqual(
        second.map(({ allowed }) => allowed),
        AWKWARD_KEYS.map(() => false),
      );
    });

    test("policies are apart", async () => {
      const store = under.createStore();
      const limits = [fixedWindow({ limit: 1, window: AGES })];
      const policies = { [`a${suite}`]: { limits }, [`a${suite}.b`]: { limits } };
      const limiter = createLimiter({ store, policies: patient(policies) });
      limiters.push(limiter);
      const asks = Object.keys(policies).map((policy) => request(policy, "k"));
      const decisions = await limiter.checkAll([...asks, ...asks]);
      assert.deepEqual(
        decisions.map(({ allowed }) => allowed),
        [true, true, false, false],
      );
    });

    test("reset forgets, in order with the checks around it", async () => {
      const { limiter, policy, check } = limiterWith([fixedWindow({ limit: 1, window: AGES })]);
      const answers = await Promise.all([
        check("k"),
        check("k"),
        limiter.reset({ policy, key: "k" }),
        check("k"),
        check("k"),
      ]);
      const allowed = answers.map((answer) => answer?.allowed);
      assert.deepEqual(allowed, [true, false, undefined, true, false]);
    });

    test("a changed limit keeps what was consumed", async () => {
      const policy = `changed${suite}`;
      const asked = async (limits: PolicyOptions["limits"], cost: number) => {
        return (await limiterWith(limits, policy).check("k", cost)).remaining;
      };
      assert.equal(await asked([tokenBucket({ capacity: 100, refill: "1/1h" })], 60), 40);
      assert.equal(await asked([tokenBucket({ capacity: 150, refill: "1/1h" })], 0), 90);
      assert.equal(await asked([tokenBucket({ capacity: 150, refill: "1/2h" })], 0), 90);
      assert.equal(await asked([fixedWindow({ limit: 70, window: AGES })], 0), 10);
      const two = [
        fixedWindow({ limit: 70, window: AGES }),
        fixedWindow({ limit: 8, window: "36499d" }),
      ];
      assert.equal(await asked(two, 0), 8);
    });

    test("two definitions at once, as in a rolling deploy, admit no more than the larger", async () => {
      const policy = `rolling${suite}`;
      const definitions = [
        tokenBucket({ capacity: 100, refill: "1/1h" }),
        tokenBucket({ capacity: 20, refill: "1/1h" }),
        tokenBucket({ capacity: 30, refill: "7/2h" }),
        fixedWindow({ limit: 40, window: AGES }),
        tokenBucket({ capacity: 10, refill: "1/1d" }),
      ];
      const nodes = definitions.map((limit) => limiterWith([limit], policy));
      let admitted = 0;
      for (let turn = 0; turn < 400; turn += 1) {
        const node = nodes[(turn * 7 + (turn >> 3)) % nodes.length]!;
        if (turn % 3 === 0) await node.peek("k");
        else if ((await node.check("k", 1 + (turn % 4))).allowed) admitted += 1 + (turn % 4);
      }
      assert.ok(admitted <= 100, `${admitted} units admitted`);
      assert.ok(admitted >= 90, `${admitted} units admitted`);
    });

    test("a bucket refills, and a window begins anew", async () => {
      for (const limit of [
        tokenBucket({ capacity: 1, refill: "20/s" }),
        fixedWindow({ limit: 1, window: "50ms" }),
      ]) {
        const { check } = limiterWith([limit]);
        await check("k");
        const denied = await check("k");
        if (!denied.allowed) assert.ok(denied.retryAfterMs! <= 50);
        await eventually(async () => assert.ok((await check("k")).allowed));
      }
    });

    test("a thousand keys in one turn", async () => {
      const { limiter, policy } = limiterWith([tokenBucket({ capacity: 2, refill: "1/1d" })]);
      const requests = Array.from({ length: 1_000 }, (_, index) => request(policy, `k${index}`));
      for (const expected of [1, 0]) {
        const decisions = await limiter.checkAll(requests);
        assert.deepEqual(
          decisions.map(({ key }) => key),
          requests.map(({ key }) => key),
        );
        assert.ok(decisions.every(({ allowed, remaining }) => allowed && remaining === expected));
      }
      const denied = await limiter.checkAll(requests);
      assert.ok(denied.every(({ allowed }) => !allowed));
    });

    test("answers a ping; close settles what is in flight, and then all is refused", async () => {
      const { limiter, policy, check } = limiterWith([fixedWindow({ limit: 9, window: AGES })]);
      await limiter.ping();
      const asks = Array.from({ length: 5 }, () => check("k"));
      await limiter.close();
      const decisions = await Promise.all(asks);
      assert.ok(decisions.every(({ allowed }) => allowed));
      await assert.rejects(limiter.check(request(policy, "k")), { code: "LIMITER_CLOSED" });
    });

    leasesContract(() => {
      const store = under.createStore();
      store.attach(undefined);
      stores.push(store);
      return store;
    }, suite);

    for (const contract of [callsContract, permitsContract]) {
      contract((policies) => {
        const limiter = createLimiter({ store: under.createStore(), policies: patient(policies) });
        limiters.push(limiter);
        return limiter;
      }, suite);
    }
  });
}

function request(policy: string, key: string, cost?: number): CheckRequest {
  return cost === undefined ? { policy, key } : { policy, key, cost };
}
