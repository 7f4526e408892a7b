// What a policy answers in place of its store: allow, deny, and by its share in memory, for each kind of call.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  concurrency,
  type Decision,
  fixedWindow,
  memoryStore,
  type PolicyOptions,
  slidingLog,
  tokenBucket,
} from "tidegate";
import { createPolicy, type OnStoreFailure } from "../../src/policy/policy.ts";
import { FailureAnswers } from "../../src/resilience/failure-answers.ts";
import { hardLimit } from "../support/any-limit.ts";
import { createManualClock } from "../support/manual-clock.ts";

const limits = [fixedWindow({ limit: 10, window: "1h" })];
const policyOf = (
  onStoreFailure: OnStoreFailure,
  options: Partial<PolicyOptions> = {},
  name = "api",
) => createPolicy(name, { limits, ...options, onStoreFailure });

function createAnswers(nodes = 2) {
  const clock = createManualClock();
  const live = { nodes };
  return {
    clock,
    live,
    answers: new FailureAnswers(memoryStore({ clock }), clock, () => live.nodes),
  };
}

/** What matters of a decision. */
const brief = ({ allowed, remaining, retryAfterMs, source, shadow }: Decision) => {
  return [allowed, remaining, retryAfterMs, source, shadow];
};

test("allow admits with the numbers of a key that is not used; above the limit is never", () => {
  const { answers } = createAnswers();
  const allow = policyOf("allow");
  for (const consume of [true, false]) {
    for (const cost of [0, 1, 10]) {
      const decision = answers.decide(allow, "k", cost, consume, 300);
      assert.deepEqual(decision, {
        allowed: true,
        policy: "api",
        key: "k",
        limitName: "api",
        limit: 10,
        remaining: 10,
        retryAfterMs: 0,
        resetAfterMs: 0,
        delayMs: 0,
        soft: false,
        nearLimit: false,
        shadow: false,
        source: "fail-open",
      });
    }
    const never = answers.decide(allow, "k", 11, consume, 300);
    assert.deepEqual(brief(never), [false, 10, null, "fail-open", false]);
  }
});

test("deny denies until the store is asked again, 1,000 ms where that is not known; a cost of 0 passes", () => {
  const { answers } = createAnswers();
  const deny = policyOf("deny");
  const ask = (cost: number, retryMs: number) =>
    brief(answers.decide(deny, "k", cost, true, retryMs));
  assert.deepEqual(ask(1, 300), [false, 0, 300, "fail-closed", false]);
  assert.deepEqual(ask(1, 0), [false, 0, 1_000, "fail-closed", false]);
  assert.deepEqual(ask(11, 300), [false, 0, null, "fail-closed", false]);
  assert.deepEqual(ask(0, 300), [true, 0, 0, "fail-closed", false]);
});

test("local decides by the share, which is taken, or by a look is not", () => {
  const { answers } = createAnswers(2);
  const local = policyOf("local");
  const ask = (cost: number, consume = true) => {
    return brief(answers.decide(local, "k", cost, consume, 300));
  };
  assert.deepEqual(ask(4, false), [true, 5, 0, "fallback", false]);
  assert.deepEqual(ask(4), [true, 1, 0, "fallback", false]);
  assert.deepEqual(ask(2), [false, 1, 3_600_000, "fallback", false]);
  assert.deepEqual(ask(0), [true, 1, 0, "fallback", false]);
});

test("a cost above the share may be admitted by the store again, so the time to that is told", () => {
  const { answers } = createAnswers(2);
  const local = policyOf("local");
  const ask = (cost: number, retryMs: number) =>
    brief(answers.decide(local, "k", cost, true, retryMs));
  assert.deepEqual(ask(6, 300), [false, 5, 300, "fallback", false]);
  assert.deepEqual(ask(6, 0), [false, 5, 1_000, "fallback", false]);
});

test("above the whole limit no node ever admits: allow, deny and local say so alike", () => {
  const { answers } = createAnswers(2);
  for (const onStoreFailure of ["allow", "deny", "local"] as const) {
    const decision = answers.decide(policyOf(onStoreFailure), "k", 11, true, 300);
    assert.deepEqual([decision.allowed, decision.retryAfterMs], [false, null], onStoreFailure);
  }
});

test("a shadow policy admits, and says what it would have done; a soft limit denies nothing", () => {
  const { answers } = createAnswers(2);
  const shadow = (onStoreFailure: OnStoreFailure, cost: number) => {
    return brief(answers.decide(policyOf(onStoreFailure, { shadow: true }), "k", cost, true, 300));
  };
  assert.deepEqual(shadow("allow", 1), [true, 10, 0, "fail-open", false]);
  assert.deepEqual(shadow("allow", 11), [true, 10, 0, "fail-open", true]);
  assert.deepEqual(shadow("deny", 1), [true, 0, 0, "fail-closed", true]);
  assert.deepEqual(shadow("local", 6), [true, 5, 0, "fallback", true]);
  const soft = [fixedWindow({ limit: 10, window: "1h", soft: true })];
  const softly = (onStoreFailure: OnStoreFailure) => {
    const policy = policyOf(onStoreFailure, { limits: soft });
    return brief(answers.decide(policy, "soft", 11, true, 300)).slice(0, 1)[0];
  };
  assert.deepEqual([softly("allow"), softly("local"), softly("deny")], [true, true, false]);
});

test("of several limits the one that never admits is named", () => {
  const { answers } = createAnswers();
  const several = [
    slidingLog({ limit: 100, window: "1h", name: "log" }),
    tokenBucket({ capacity: 20, refill: "1/s", name: "bucket" }),
    fixedWindow({ limit: 5, window: "1s", name: "soft", soft: true }),
  ];
  for (const onStoreFailure of ["allow", "deny"] as const) {
    const policy = policyOf(onStoreFailure, { limits: several });
    const never = answers.decide(policy, "k", 21, true, 300);
    assert.deepEqual([never.limitName, never.limit, never.retryAfterMs], ["bucket", 20, null]);
  }
});

test("whatever the limits, allow admits up to them and deny nothing", () => {
  const { answers } = createAnswers();
  fc.assert(
    fc.property(fc.array(hardLimit, { minLength: 1, maxLength: 4 }), fc.boolean(), (many, more) => {
      const least = Math.min(...many.map(({ limit }) => limit));
      for (const onStoreFailure of ["allow", "deny"] as const) {
        const policy = policyOf(onStoreFailure, { limits: many });
        const decision = answers.decide(policy, "k", least + (more ? 1 : 0), true, 300);
        assert.equal(decision.allowed, onStoreFailure === "allow" && !more);
        if (more) assert.equal(decision.retryAfterMs, null);
      }
    }),
  );
});

const part = (onStoreFailure: OnStoreFailure, cost: number, key = "k") => {
  return { policy: policyOf(onStoreFailure, {}, onStoreFailure), key, cost };
};

test("of several as one, those that are not counted are taken by nobody and the others in memory", () => {
  const { answers } = createAnswers(2);
  const parts = [part("allow", 1), part("local", 4), part("allow", 1, "l")];
  const outcome = answers.take({ kind: "take", parts }, 300);
  assert.deepEqual(brief(outcome.decision), [true, 1, 0, "fallback", false]);
  assert.deepEqual(
    [outcome.done, outcome.receipts.map((receipt) => receipt !== undefined)],
    [true, [false, true, false]],
  );
  const allowed = answers.take({ kind: "take", parts: [parts[0]!, parts[2]!] }, 300);
  assert.deepEqual([allowed.done, allowed.decision.source], [true, "fail-open"]);
});

test("of several as one, where one is denied nothing is taken", () => {
  const { answers } = createAnswers(2);
  const local = part("local", 4);
  const denied = answers.take({ kind: "take", parts: [local, part("deny", 1)] }, 300);
  assert.deepEqual(brief(denied.decision), [false, 0, 300, "fail-closed", false]);
  assert.deepEqual([denied.done, denied.receipts], [false, [undefined, undefined]]);
  const beyond = answers.take({ kind: "take", parts: [local, part("local", 6, "l")] }, 300);
  assert.deepEqual([beyond.decision.allowed, beyond.done], [false, false]);
  const { remaining } = answers.decide(local.policy, "k", 0, false, 0);
  assert.equal(remaining, 5);
});

test("of several that are denied the one to wait longest for is told, and never before all", () => {
  const { answers } = createAnswers(2);
  const parts = [part("deny", 1), part("allow", 11), part("deny", 1, "l")];
  for (const order of [parts, parts.toReversed()]) {
    const { decision } = answers.take({ kind: "take", parts: order }, 300);
    assert.deepEqual(brief(decision), [false, 10, null, "fail-open", false]);
  }
});

test("what was taken in memory is given back, settled, released and extended there; nothing else is", () => {
  const { answers } = createAnswers(2);
  const local = part("local", 4);
  const take = { kind: "take", parts: [local] } as const;
  const taken = answers.take({ ...take, receiptUs: 1e9 }, 300);
  const give = { kind: "give", part: local, takenAt: taken.at } as const;
  const given = answers.follow({ ...give, receipt: taken.receipts[0]! });
  assert.deepEqual([given?.done, given?.decision.source], [true, "fallback"]);
  assert.equal(answers.follow(give), undefined, "a refund is of what the store took");
  assert.equal(answers.follow({ ...give, receipt: { ...taken.receipts[0]! } }), undefined);
  answers.take({ ...take, record: { id: "r", ttlUs: 1e9 }, receiptUs: 1e9 }, 300);
  const settled = answers.follow({ kind: "settle", part: { ...local, cost: 1 }, id: "r" });
  assert.deepEqual([settled?.done, settled?.decision.remaining], [true, 4]);
  assert.equal(answers.follow({ kind: "settle", part: local, id: "unknown" }), undefined);
  const job = policyOf("local", { limits: [concurrency({ limit: 2, lease: "1m" })] }, "job");
  const held = { policy: job, key: "k", cost: 1 };
  answers.take({ kind: "take", parts: [held], permit: "p" }, 300);
  assert.equal(answers.follow({ kind: "extend", part: held, permit: "p" })?.done, true);
  assert.equal(answers.follow({ kind: "release", part: held, permit: "q" }), undefined);
  assert.equal(answers.follow({ kind: "release", part: held, permit: "p" })?.done, true);
  assert.equal(answers.follow({ kind: "release", part: held, permit: "p" }), undefined);
});

test("policies that do not count in memory leave what follows to the store", () => {
  const { answers } = createAnswers();
  for (const onStoreFailure of ["allow", "deny"] as const) {
    const one = part(onStoreFailure, 1);
    answers.take({ kind: "take", parts: [one], record: { id: "r", ttlUs: 1e9 } }, 300);
    assert.equal(answers.follow({ kind: "settle", part: one, id: "r" }), undefined);
    assert.equal(answers.follow({ kind: "release", part: one, permit: "p" }), undefined);
    assert.equal(answers.follow({ kind: "give", part: one, takenAt: 1 }), undefined);
  }
});

test("an id is answered once in memory, and refused for other costs", () => {
  const { answers } = createAnswers(2);
  const take = (cost: number) => {
    const record = { id: "r", ttlUs: 1e9 };
    return answers.take({ kind: "take", parts: [part("local", cost)], record }, 300);
  };
  assert.equal(take(4).decision.remaining, 1);
  assert.equal(take(4).decision.remaining, 1);
  assert.throws(() => take(3), { code: "INVALID_REQUEST", field: "id" });
});

test("the share changes with the nodes during an outage, and what was taken stays taken", () => {
  const { answers, live } = createAnswers(1);
  const local = policyOf("local");
  const ask = (cost: number) => answers.decide(local, "k", cost, true, 300);
  assert.equal(ask(4).remaining, 6);
  live.nodes = 2;
  assert.deepEqual([ask(0).limit, ask(0).remaining, ask(2).allowed], [5, 1, false]);
  live.nodes = 5;
  assert.deepEqual([ask(0).remaining, ask(1).allowed], [0, false]);
  live.nodes = 1;
  assert.equal(ask(6).allowed, true);
});

test("reset forgets a key in memory", () => {
  const { answers } = createAnswers(2);
  const local = policyOf("local");
  answers.decide(local, "k", 5, true, 300);
  answers.reset(local, "k");
  assert.equal(answers.decide(local, "k", 5, true, 300).allowed, true);
});
