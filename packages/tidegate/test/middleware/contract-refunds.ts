// The middleware contract: refundWhen gives back what a request was charged, once, and nothing else.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type Decision, fixedWindow, type Limiter, leakyBucket } from "tidegate";
import {
  byUser,
  createGate,
  createSetup,
  fail,
  get,
  type SeenResponse,
  type Serve,
} from "./contract-setup.ts";

const failed = ({ status }: SeenResponse) => status >= 500;

export function describeRefunds(serve: Serve): void {
  it("gives back exactly the cost of a request that failed, and keeps the others'", async () => {
    const { limiter, store } = createSetup();
    const server = await serve({
      guards: [
        {
          limiter,
          policy: "api",
          key: byUser,
          cost: (request) => Number(request.header("x-cost") ?? "1"),
          refundWhen: failed,
        },
      ],
      answer: (request) => Number(request.header("x-status") ?? "200"),
    });
    assert.equal((await get(server)).status, 200);
    const broken = await get(server, { "x-status": "503", "x-cost": "2" });
    assert.equal(broken.status, 503);
    assert.equal(broken.headers.get("ratelimit"), '"api";r=0;t=10', "charged, until it failed");
    await store.untilAsked("settle", 1);
    assert.equal(await remaining(limiter, "api"), 2);
    assert.equal((await get(server, { "x-status": "404" })).status, 404);
    assert.equal(await remaining(limiter, "api"), 1);
    assert.equal(store.count("settle"), 1);
  });

  it("gives back where the handler threw", async () => {
    const { limiter, store } = createSetup();
    const guard = { limiter, policy: "api", key: byUser, cost: 3, refundWhen: failed };
    const server = await serve({ guards: [guard], answer: fail });
    for (let times = 1; times <= 3; times += 1) {
      assert.equal((await get(server)).status, 500);
      await store.untilAsked("settle", times);
    }
    assert.equal(await remaining(limiter, "api"), 3);
  });

  it("gives back nothing for what was denied, let pass all the same, or cost nothing", async () => {
    const { limiter, store } = createSetup();
    let asked = 0;
    const refundWhen = () => {
      asked += 1;
      return true;
    };
    const guard = { limiter, policy: "login", key: byUser, refundWhen };
    await limiter.check({ policy: "login", key: "nobody" });
    for (const options of [
      { cost: 2 },
      { cost: 2, onDenied: "pass" as const },
      { cost: 0 },
      { skip: () => true },
    ]) {
      const server = await serve({ guards: [{ ...guard, ...options }] });
      await (await get(server)).text();
      await server.close();
    }
    assert.deepEqual([asked, store.count("settle"), store.count("give")], [0, 0, 0]);
    assert.equal(await remaining(limiter, "login"), 1);
  });

  it("gives back nothing for a shadow's denial, nor for a key without a limit", async () => {
    const window = [fixedWindow({ limit: 3, window: "1h" })];
    const { limiter, store } = createSetup(undefined, {
      trial: { limits: window, shadow: true },
      free: { limits: window, overrides: [{ key: "*", unlimited: true }] },
    });
    await limiter.check({ policy: "trial", key: "nobody", cost: 2 });
    let asked = 0;
    const refundWhen = () => {
      asked += 1;
      return true;
    };
    for (const policy of ["trial", "free"]) {
      const guard = { limiter, policy, key: byUser, cost: 2, refundWhen };
      const server = await serve({ guards: [guard] });
      assert.equal((await get(server)).status, 200);
      await server.close();
    }
    assert.deepEqual([asked, store.count("settle")], [0, 0]);
    assert.equal(await remaining(limiter, "trial"), 1);
  });

  it("does not let the response wait", async () => {
    const { limiter, store } = createSetup();
    const guard = { limiter, policy: "api", key: byUser, refundWhen: () => true };
    const server = await serve({ guards: [guard] });
    const goOn = store.hold("settle");
    assert.equal((await decisionIn(await get(server))).remaining, 2);
    await store.untilAsked("settle", 1);
    assert.equal((await decisionIn(await get(server))).remaining, 1);
    goOn();
  });

  it("asks once, and says so, where the client goes away", async () => {
    const { limiter, store } = createSetup();
    const gate = createGate();
    const seen: SeenResponse[] = [];
    const refundWhen = (response: SeenResponse) => {
      seen.push(response);
      return !response.sent;
    };
    const guard = { limiter, policy: "api", key: byUser, refundWhen };
    const server = await serve({ guards: [guard], answer: gate.answer });
    const abort = new AbortController();
    const leaving = get(server, {}, "/", abort.signal);
    await gate.untilBegun(1);
    abort.abort();
    await assert.rejects(leaving, { name: "AbortError" });
    await store.untilAsked("settle", 1);
    const staying = get(server);
    await gate.untilBegun(2);
    gate.open(0);
    gate.open(1);
    await (await staying).text();
    await server.close();
    assert.deepEqual(
      seen.map(({ sent }) => sent),
      [false, true],
    );
    assert.equal(await remaining(limiter, "api"), 2);
  });

  it("takes nothing from a window for a request of the one before", async () => {
    const { limiter, store, clock } = createSetup();
    const gate = createGate();
    const guard = { limiter, policy: "login", key: byUser, refundWhen: failed };
    const server = await serve({ guards: [guard], answer: gate.answer });
    clock.advanceMs(59_000);
    const slow = get(server);
    await gate.untilBegun(1);
    clock.advanceMs(2_000);
    await limiter.check({ policy: "login", key: "nobody", cost: 2 });
    gate.open(0, 500);
    assert.equal((await slow).status, 500);
    await store.untilAsked("settle", 1);
    assert.equal(await remaining(limiter, "login"), 0);
  });

  it("gives back what other limits took where the policy has a queue, and no place in that", async () => {
    const { limiter, store } = createSetup(undefined, {
      paced: {
        limits: [
          leakyBucket({ rate: "1/s", queue: 9, name: "queue" }),
          fixedWindow({ limit: 2, window: "1h", name: "hour" }),
        ],
      },
    });
    const guard = { limiter, policy: "paced", key: byUser, refundWhen: failed };
    const server = await serve({ guards: [guard], answer: () => 500 });
    await (await get(server)).text();
    await store.untilAsked("settle", 1);
    const {
      limitName,
      remaining: left,
      delayMs,
    } = await limiter.peek({ policy: "paced", key: "nobody" });
    assert.deepEqual([limitName, left, delayMs], ["hour", 2, 1_000]);
  });

  for (const [what, refundWhen, told] of [
    ["throws", fail, /refundWhen threw broken on purpose/],
    ["answers undefined", () => undefined, /true or false.*answered undefined/],
    ["is async", () => Promise.reject(new Error("late")), /true or false at once.*answered \{\}/],
  ] as const) {
    it(`reports once that refundWhen ${what}, and refunds nothing`, async () => {
      const { limiter, store } = createSetup();
      const warnings: { code: string; message: string }[] = [];
      const onWarning = (warning: { code: string; message: string }) => warnings.push(warning);
      const guard = { limiter, policy: "api", key: byUser, onWarning };
      const server = await serve({ guards: [{ ...guard, refundWhen: refundWhen as never }] });
      for (const left of [2, 1]) {
        const response = await get(server);
        assert.equal(response.status, 200);
        assert.equal((await decisionIn(response)).remaining, left);
      }
      await server.close();
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ["TIDEGATE_REFUND_WHEN"],
      );
      assert.match(warnings[0]!.message, told);
      assert.equal(store.count("settle"), 0);
    });
  }

  it("hands on an error where a policy with a concurrency limit is chosen with refundWhen", async () => {
    const { limiter } = createSetup();
    const policy = () => "exports";
    const server = await serve({ guards: [{ limiter, policy, key: byUser, refundWhen: failed }] });
    const { code, field, message } = (await (await get(server)).json()) as Record<string, string>;
    assert.deepEqual([code, field], ["INVALID_OPTION", "refundWhen"]);
    assert.match(message!, /concurrency limit.*"exports"/);
    assert.equal(server.handled(), 0);
  });
}

async function remaining(limiter: Limiter, policy: string): Promise<number> {
  return (await limiter.peek({ policy, key: "nobody", cost: 0 })).remaining;
}

async function decisionIn(response: Response): Promise<Decision> {
  return (await response.json()) as Decision;
}
