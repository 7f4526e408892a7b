// Durations, limits and banners, as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { writeBanner } from "../../src/cli/banner.ts";
import { sayPolicies } from "../../src/cli/summary.ts";
import { sayDuration, sayLimit } from "../../src/cli/words.ts";
import { accepted, load, POLICIES } from "../config/support.ts";

const durations: readonly (readonly [number, string])[] = [
  [1, "1 ms"],
  [812, "812 ms"],
  [999.2, "1 s"],
  [1_000, "1 s"],
  [1_001, "1.1 s"],
  [12_345, "12.4 s"],
  [59_900, "59.9 s"],
  [59_901, "1 m"],
  [60_000, "1 m"],
  [60_001, "1 m 1 s"],
  [3_600_000, "1 h"],
  [3_661_000, "1 h 1 m"],
  [86_400_000, "1 d"],
  [90_061_000, "1 d 1 h"],
  [3_153_600_000_000, "36500 d"],
];

for (const [milliseconds, expected] of durations) {
  test(`says ${milliseconds} ms as ${expected}`, () => {
    assert.equal(sayDuration(milliseconds), expected);
  });
}

const limits: readonly (readonly [string, string])[] = [
  ["10/s", "10/s"],
  ["1000000/s", "1,000,000/s"],
  ["5/1m", "5/m"],
  ["100/15m", "400/h"],
  ["1/30d", "1/30d"],
  ["7/3s", "140/m"],
  ["1/1500ms", "40/m"],
];

for (const [refill, expected] of limits) {
  test(`says a refill of ${refill} as ${expected}`, () => {
    const limit = tokenBucket({ capacity: 1_000, refill });
    assert.equal(sayLimit(limit), `1,000 at once, refilled at ${expected}`);
  });
}

test("says a window in its largest unit", () => {
  const say = (window: string) => sayLimit(fixedWindow({ limit: 1_000, window }));
  assert.deepEqual(["60s", "90s", "1500ms", "24h"].map(say), [
    "1,000 per 1m",
    "1,000 per 90s",
    "1,000 per 1500ms",
    "1,000 per 1d",
  ]);
});

const rules: readonly (readonly [Limit, string])[] = [
  [slidingWindow({ limit: 1_000, window: "1h" }), "about 1,000 in any 1h"],
  [slidingLog({ limit: 5, window: "2s" }), "5 in any 2s"],
  [leakyBucket({ rate: "10/s", queue: 50 }), "10/s, up to 50 waiting"],
  [leakyBucket({ rate: "100/15m", queue: 0 }), "400/h, none waiting"],
  [
    calendarWindow({ limit: 1_000, per: "month", timeZone: "Europe/Berlin" }),
    "1,000 per month in Europe/Berlin",
  ],
  [calendarWindow({ limit: 5, per: "day" }), "5 per day in UTC"],
  [concurrency({ limit: 3, lease: "30s" }), "3 at once, each held 30s at most"],
  [tokenBucket({ capacity: 10, refill: "1/s", soft: true }), "10 at once, refilled at 1/s (soft)"],
  [slidingLog({ limit: 5, window: "2s", soft: true }), "5 in any 2s (soft)"],
];

for (const [limit, expected] of rules) {
  test(`says a limit as ${expected}`, () => assert.equal(sayLimit(limit), expected));
}

test("what is special about a policy is said after its limits", async () => {
  const limits = "limits: [{ algorithm: fixed-window, limit: 1, window: 1s }]";
  const vip = '{ key: "user:vip-*", unlimited: true }';
  const text =
    `store: redis://h\ndefaultPolicy: a\npolicies:\n  a: { ${limits} }\n` +
    `  b: { ${limits}, shadow: true, overrides: [${vip}] }\n` +
    `  cc: { ${limits}, coordination: local, overrides: [${vip}, { key: x, blocked: true }] }\n`;
  assert.deepEqual(sayPolicies(accepted(await load(text))), [
    "a   1 per 1s (default)",
    "b   1 per 1s (shadow: never denies, 1 override)",
    "cc  1 per 1s (local, 2 overrides)",
  ]);
});

async function bannerOf(text: string | undefined, host = "127.0.0.1", storeAnswers = true) {
  const configuration = accepted(await load(text));
  const at = (port: number) => ({ host, port });
  return writeBanner({
    version: "1.2.3",
    addresses: { http: at(18_080), grpc: at(18_081), admin: at(18_082) },
    configuration,
    file: text === undefined ? undefined : "tidegate.yaml",
    storeAnswers,
    paint: (_, shown) => shown,
  });
}

test("the banner gives lines to paste, with a real policy and the real ports", async () => {
  const banner = await bannerOf(POLICIES);
  assert.ok(
    banner.includes(
      `    curl -sw '\\n' http://127.0.0.1:18080/v1/check -H 'content-type: application/json' ` +
        `-d '{"policy":"api","key":"user:42"}'\n`,
    ),
    banner,
  );
  assert.ok(
    banner.includes(
      `    grpcurl -plaintext -d '{"policy":"api","key":"user:42"}' 127.0.0.1:18081 ` +
        "tidegate.v1.RateLimiter/CheckLimit\n",
    ),
    banner,
  );
  assert.match(banner, /Metrics {3}http:\/\/127\.0\.0\.1:18082\/metrics\n/);
  assert.match(banner, /From {6}tidegate\.yaml\n/);
  assert.doesNotMatch(banner, /write them to tidegate\.yaml/);
});

test("the banner asks what is answered: permits are acquired, all else is checked", async () => {
  const jobs = "jobs: { limits: [{ algorithm: concurrency, limit: 1, lease: 1s }] }";
  const other = "other: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] }";
  const both = await bannerOf(`policies: { ${jobs}, ${other} }\n`);
  assert.match(both, /\/v1\/check .*"policy":"other".*\n.*"policy":"other".*\/CheckLimit\n/);
  const alone = await bannerOf(`policies: { ${jobs} }\n`);
  assert.match(alone, /\/v1\/acquire .*"policy":"jobs".*\n.*"policy":"jobs".*\/Acquire\n/);
});

test("an address that means all addresses is called by one of them", async () => {
  assert.match(await bannerOf(POLICIES, "0.0.0.0"), /http:\/\/127\.0\.0\.1:18080\/v1\/check/);
  assert.match(await bannerOf(POLICIES, "::"), /http:\/\/localhost:18080\/v1\/check/);
  assert.match(
    await bannerOf(POLICIES, "::1"),
    /curl -sw '\\n' 'http:\/\/\[::1\]:18080'\/v1\/check/,
  );
});

test("without a file the banner says how to write one, and the file it shows is right", async () => {
  const banner = await bannerOf(undefined);
  const shown = /start again:\n\n(.*?)\n\n/s.exec(banner)?.[1];
  assert.deepEqual(Object.keys(accepted(await load(shown)).policies), ["api"]);
});

test("the banner shows no password, and says that a store does not answer", async () => {
  const banner = await bannerOf(`store: redis://u:hunter2@h:1\n${POLICIES}`, "127.0.0.1", false);
  assert.match(banner, /Store {5}redis:\/\/\*\*\*@h:1, which does not answer yet/);
  assert.doesNotMatch(banner, /hunter2/);
});

test("many policies are not all listed", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `p${index}`);
  const entries = names.map(
    (name) => `${name}: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] }`,
  );
  assert.match(await bannerOf(`policies: { ${entries.join(", ")} }`), /\n {12}and 8 more\n/);
});
