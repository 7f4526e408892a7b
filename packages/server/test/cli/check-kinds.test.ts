// What `tidegate check` asks with each of its options, what it says to each answer, and how it ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Asked, startDoors } from "../door-support.ts";
import { decisionWith } from "../service-support.ts";
import { runHere } from "./support.ts";

const A = { policy: "api", key: "user:42" };
const NAMED = ["api", "user:42"];
const LEFT = "99 of 100 remaining, all of it in 100 ms (api)";

const QUESTIONS: readonly (readonly [
  args: readonly string[],
  asked: readonly [Asked, ...unknown[]],
  said: string,
])[] = [
  [[...NAMED, "--cost", "0"], ["check", { ...A, cost: 0 }], `allowed, ${LEFT}`],
  [[...NAMED, "--id", "a b"], ["check", { ...A, id: "a b" }], `allowed, ${LEFT}`],
  [["", "user:42"], ["check", { key: "user:42" }], `allowed, ${LEFT}`],
  [
    ["api", "é&=?#%", "--peek", "--cost", "2"],
    ["peek", { policy: "api", key: "é&=?#%", cost: 2 }],
    `would be allowed, ${LEFT}`,
  ],
  [["", "a", "--peek"], ["peek", { key: "a" }], `would be allowed, ${LEFT}`],
  [
    [...NAMED, "--reserve", "--cost", "5", "--ttl", "30s", "--id", "mine"],
    ["reserve", { ...A, cost: 5, ttl: "30s", id: "mine" }],
    `reserved 5 as r-1, to be settled within 30 s, ${LEFT}`,
  ],
  [
    [...NAMED, "--settle", "r-1", "--actual", "0"],
    ["settle", { ...A, id: "r-1" }, 0],
    `settled, ${LEFT}`,
  ],
  [
    [...NAMED, "--refund", "--cost", "2", "--id", "i"],
    ["refund", { ...A, cost: 2, id: "i" }],
    `refunded, ${LEFT}`,
  ],
  [[...NAMED, "--acquire"], ["acquire", A], `acquired 1 as p-1, held for 10 s, ${LEFT}`],
  [[...NAMED, "--release", "p-1"], ["release", { ...A, id: "p-1" }], "released p-1"],
  [["", "a", "--extend", "p-1"], ["extend", { key: "a", id: "p-1" }], "extended p-1"],
  [
    ["--every", "api=user:42", "--every", "=a=b", "--cost", "2", "--id", "all"],
    [
      "checkEvery",
      [
        { ...A, cost: 2 },
        { key: "a=b", cost: 2 },
      ],
      { id: "all" },
    ],
    "allowed, 99 of 100 remaining, all of it in 100 ms (api for user:42)",
  ],
];

for (const [args, asked, said] of QUESTIONS) {
  test(`check ${args.join(" ")} asks for ${asked[0]}`, async (context) => {
    const { limiter, url } = await startDoors(context);
    const outcome = await runHere(["check", ...args, "--url", url]);
    assert.deepEqual(outcome, { code: 0, stdout: `${said}\n`, stderr: "" });
    assert.deepEqual(limiter.calls, [asked]);
  });
}

const denied = { allowed: false, remaining: 0, retryAfterMs: 2_000 };
const blocked = { ...denied, limitName: "blocked", limit: 0, resetAfterMs: 0 };
const unlimited = {
  ...{ limitName: "unlimited", limit: 1_000_000_000, remaining: 1_000_000_000 },
  resetAfterMs: 0,
};

const ANSWERS: readonly (readonly [
  args: readonly string[],
  method: Asked,
  answer: unknown,
  code: number,
  said: string,
])[] = [
  [
    NAMED,
    "check",
    decisionWith({ delayMs: 250, limitName: "queue" }),
    0,
    "allowed after a wait of 250 ms, 99 of 100 remaining, all of it in 100 ms (api, queue)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ soft: true, nearLimit: true, remaining: 0, limitName: "plan" }),
    0,
    "allowed, beyond a soft limit, 0 of 100 remaining, near the limit, all of it in 100 ms (api, plan)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ shadow: true, nearLimit: true, remaining: 0 }),
    0,
    "allowed, only because the policy is a shadow, 0 of 100 remaining, all of it in 100 ms (api)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ source: "fail-open", remaining: 100, resetAfterMs: 0 }),
    0,
    "allowed, uncounted, as the store does not answer (api)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ ...denied, source: "fail-closed", retryAfterMs: 400 }),
    1,
    "denied, as the store does not answer, retry in 400 ms (api)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ source: "fallback", limit: 34, remaining: 33 }),
    0,
    "allowed, by this node's share, as the store does not answer, 33 of 34 remaining, all of it in 100 ms (api)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ ...denied, source: "fallback", limit: 34 }),
    1,
    "denied, by this node's share, as the store does not answer, retry in 2 s (api: 0 of 34 remaining)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ source: "lease" }),
    0,
    "allowed, by this node's lease, 99 of 100 remaining, all of it in 100 ms (api)",
  ],
  [
    NAMED,
    "check",
    decisionWith({ ...denied, source: "lease" }),
    1,
    "denied, by this node's lease, retry in 2 s (api: 0 of 100 remaining)",
  ],
  [NAMED, "check", decisionWith(unlimited), 0, "allowed, without a limit (api)"],
  [
    NAMED,
    "check",
    decisionWith({ ...blocked, retryAfterMs: 90_000 }),
    1,
    "denied, the key is blocked for 1 m 30 s (api)",
  ],
  [
    [...NAMED, "--peek"],
    "peek",
    decisionWith({ ...blocked, retryAfterMs: null }),
    1,
    "would be denied, the key is blocked (api)",
  ],
  [
    [...NAMED, "--cost", "200"],
    "check",
    decisionWith({ ...blocked, retryAfterMs: null, resetAfterMs: 90_000 }),
    1,
    "denied, the key is blocked for 1 m 30 s, and 200 is above its limits then (api)",
  ],
  [
    [...NAMED, "--reserve", "--cost", "200"],
    "reserve",
    { ...decisionWith({ ...denied, retryAfterMs: null }), id: "x", cost: 200, ttlMs: 1 },
    1,
    "denied however long it waits: 200 is above the limit of 100 (api)",
  ],
  [
    [...NAMED, "--acquire"],
    "acquire",
    { ...decisionWith(denied), id: "x", cost: 1, leaseMs: 1 },
    1,
    "denied, retry in 2 s (api: 0 of 100 remaining)",
  ],
  [
    ["--every", "api=a", "--every", "org=org:7"],
    "checkEvery",
    decisionWith({ ...denied, policy: "org", key: "org:7", limitName: "hour" }),
    1,
    "denied, retry in 2 s (org for org:7, hour: 0 of 100 remaining)",
  ],
  [
    [...NAMED, "--settle", "gone", "--actual", "1"],
    "settle",
    { ...decisionWith(), settled: false },
    1,
    "not settled, there is no such reservation, or its time is over: what it took stays taken",
  ],
  [[...NAMED, "--release", "x"], "release", false, 1, "not released: x is not held any more"],
  [[...NAMED, "--extend", "x"], "extend", false, 1, "not extended: x is not held any more"],
];

for (const [args, method, answer, code, said] of ANSWERS) {
  test(`check says: ${said}`, async (context) => {
    const { limiter, url } = await startDoors(context);
    limiter.answers.set(method, answer);
    const outcome = await runHere(["check", ...args, "--url", url]);
    assert.deepEqual(outcome, { code, stdout: `${said}\n`, stderr: "" });
  });
}

test("--json prints what the service answered, and ends as the sentence does", async (context) => {
  const { limiter, url } = await startDoors(context);
  const release = await runHere(["check", ...NAMED, "--release", "x", "--json", "--url", url]);
  assert.deepEqual([release.code, release.stdout], [0, '{"released":true}\n']);
  limiter.answers.set("extend", false);
  const extend = await runHere(["check", ...NAMED, "--extend", "x", "--json", "--url", url]);
  assert.deepEqual([extend.code, extend.stdout], [1, '{"extended":false}\n']);
  const reserve = await runHere(["check", ...NAMED, "--reserve", "--json", "--url", url]);
  const expected = { ...decisionWith(), id: "r-1", cost: 5, ttlMs: 30_000 };
  assert.deepEqual([reserve.code, JSON.parse(reserve.stdout)], [0, expected]);
});

// Never 1, which means a denial, and nobody is asked.
const MISTAKES: readonly (readonly [readonly string[], string])[] = [
  [[...NAMED, "--reserve", "--peek"], "option '--peek' cannot be used with option '--reserve'"],
  [
    [...NAMED, "--settle", "a", "--refund"],
    "option '--settle <id>' cannot be used with option '--refund'",
  ],
  [
    [...NAMED, "--release", "a", "--every", "a=b"],
    "option '--release <id>' cannot be used with option '--every <policy=key>'",
  ],
  [[...NAMED, "--ttl", "1s"], "--ttl needs --reserve"],
  [[...NAMED, "--acquire", "--ttl", "1s"], "--ttl needs --reserve"],
  [[...NAMED, "--actual", "1"], "--actual needs --settle"],
  [[...NAMED, "--settle", "a"], "--settle needs --actual, the units that were really used"],
  [
    [...NAMED, "--settle", "a", "--actual", "-1"],
    "It must be a whole number from 0 to 1000000000.",
  ],
  [
    [...NAMED, "--settle", "a", "--actual", "1", "--cost", "1"],
    "--cost cannot be used with --settle",
  ],
  [[...NAMED, "--peek", "--id", "a"], "--id cannot be used with --peek"],
  [[...NAMED, "--extend", "a", "--id", "a"], "--id cannot be used with --extend"],
  [["api", "--reserve"], "missing required argument 'key'"],
  [["--acquire"], "missing required argument 'policy'"],
  [
    ["api", "a", "--every", "a=b"],
    "--every has policies and keys of its own: leave POLICY and KEY out",
  ],
  [["--every", "user:42"], '--every must be POLICY=KEY, such as api=user:42, got "user:42"'],
  [["--every", "api="], '--every must be POLICY=KEY, such as api=user:42, got "api="'],
];

for (const [args, expected] of MISTAKES) {
  test(`check ${args.join(" ")} is a mistake`, async (context) => {
    const { limiter, url } = await startDoors(context);
    const { code, stdout, stderr } = await runHere(["check", ...args, "--url", url]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.ok(stderr.includes(expected), stderr);
    assert.deepEqual(limiter.calls, []);
  });
}
