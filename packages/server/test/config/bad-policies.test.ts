// Every way in which a policy can be wrong beside its limits, with the exact message and the place that it names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load, refused } from "./support.ts";

const LIMIT = "{ algorithm: token-bucket, capacity: 100, refill: 10/s }";
const FILE = `{ policies: { api: { limits: [${LIMIT}] } } }`;
const NAME = '1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit';
const SHARE = 'a share such as "80%" or 0.8, above 0 and up to 1';
const INSTANT = 'an instant with its offset, such as "2027-01-31T12:00:00Z"';
const O = "policies.api.overrides";

/** A policy with overrides, the first in line 5; what is in it starts in column 9. */
const overrides = (...lines: readonly string[]) => {
  const written = lines.map((line) => `      - ${line}\n`).join("");
  return `policies:\n  api:\n    limits: [${LIMIT}]\n    overrides:\n${written}`;
};
/** A policy with one setting more, in line 4, whose value is in column 5 + its name's length + 2. */
const setting = (line: string) => `policies:\n  api:\n    limits: [${LIMIT}]\n    ${line}\n`;
const policy = (text: string) => `policies: { api: ${text} }\n`;

const cases: readonly (readonly [string, string, ...string[]])[] = [
  [
    "policies a list",
    "policies: []\n",
    `1:11: policies must be a map such as ${FILE.slice(12, -2)}, got a list`,
  ],
  [
    "policies empty",
    "policies: {}\n",
    `1:11: policies must have at least one policy, such as ${FILE.slice(12, -2)}`,
  ],
  [
    "policies nothing",
    "policies:\n",
    `1:10: policies must be a map such as ${FILE.slice(12, -2)}, got nothing`,
  ],
  [
    "policy a number",
    policy("5"),
    `1:18: policies.api must be a map such as { limits: [${LIMIT}] }, got 5`,
  ],
  [
    "policy's name",
    `policies: { a b: { limits: [${LIMIT}] } }\n`,
    `1:13: policies["a b"]: the name of a policy must be ${NAME}, got "a b"`,
  ],
  [
    "policy twice",
    `policies:\n  a: { limits: [${LIMIT}] }\n  a: { limits: [${LIMIT}] }\n`,
    "3:3: policies.a is written twice, first in line 2",
  ],
  [
    "policy's coordination",
    policy(`{ coordination: hibrid, limits: [${LIMIT}] }`),
    '1:34: policies.api.coordination must be local, central, hybrid or gossip, got "hibrid"; did you mean hybrid?',
  ],
  [
    "failure policy of what asks no store",
    policy(`{ coordination: local, onStoreFailure: deny, limits: [${LIMIT}] }`),
    '1:57: policies.api.onStoreFailure must be left out beside coordination "local", which asks no store, got "deny"',
  ],
  [
    "feature of the future",
    policy(`{ priority: 1, limits: [${LIMIT}] }`),
    "1:20: unknown key policies.api.priority; known are limits, coordination, nearLimit, shadow, idTtl, " +
      "overrides, deadline, onStoreFailure, syncInterval, leaseFraction, maxOvershoot, partition, regions",
  ],
  [
    "limits misspelt",
    policy(`{ limit: [${LIMIT}] }`),
    `1:13: policies.api.limits is missing: write a list of 1 to 8 limits such as [${LIMIT}]`,
    "1:20: unknown key policies.api.limit; did you mean limits?",
  ],
  [
    "limits a map",
    policy(`{ limits: ${LIMIT} }`),
    `1:28: policies.api.limits must be a list of 1 to 8 limits such as [${LIMIT}], got a map`,
  ],
  [
    "no limits",
    policy("{ limits: [] }"),
    `1:28: policies.api.limits must be a list of 1 to 8 limits such as [${LIMIT}], got 0 of them`,
  ],
  [
    "nine limits",
    policy(`{ limits: [${Array(9).fill(LIMIT).join(", ")}] }`),
    `1:28: policies.api.limits must be a list of 1 to 8 limits such as [${LIMIT}], got 9 of them`,
  ],
  [
    "limits of one name",
    policy(
      "{ limits: [{ algorithm: fixed-window, limit: 1, window: 1s, name: a }, " +
        "{ algorithm: fixed-window, limit: 2, window: 1m, name: a }] }",
    ),
    '1:28: policies.api.limits must have names that differ, got "a" twice',
  ],
  // Settings of a policy.
  ["near 0", setting("nearLimit: 0"), `4:16: policies.api.nearLimit must be ${SHARE}, got 0`],
  ["near 80", setting("nearLimit: 80"), `4:16: policies.api.nearLimit must be ${SHARE}, got 80`],
  [
    "near over 100 %",
    setting("nearLimit: 120%"),
    `4:16: policies.api.nearLimit must be ${SHARE}, got "120%"`,
  ],
  ["shadow", setting("shadow: on"), '4:13: policies.api.shadow must be true or false, got "on"'],
  [
    "ids' time without unit",
    setting("idTtl: 60"),
    '4:12: policies.api.idTtl must be a duration with its unit, such as "500ms", "10s", "1m", "2h" or "1d", got 60',
  ],
  [
    "ids' time too long",
    setting("idTtl: 25h"),
    '4:12: policies.api.idTtl must be a duration of at most 1d, got "25h"',
  ],
  [
    "deadline without unit",
    setting("deadline: 50"),
    '4:15: policies.api.deadline must be a duration with its unit, such as "500ms", "10s", "1m", "2h" or "1d", got 50',
  ],
  [
    "deadline too long",
    setting("deadline: 2s"),
    '4:15: policies.api.deadline must be a duration of at most 1s, got "2s"',
  ],
  [
    "answer for a store that fails",
    setting("onStoreFailure: alow"),
    '4:21: policies.api.onStoreFailure must be allow, deny or local, got "alow"; did you mean allow?',
  ],
  [
    "no such answer",
    setting("onStoreFailure: true"),
    "4:21: policies.api.onStoreFailure must be allow, deny or local, got true",
  ],
  [
    "time between questions without unit",
    setting("syncInterval: 100"),
    "4:19: policies.api.syncInterval must be a duration with its unit, " +
      'such as "500ms", "10s", "1m", "2h" or "1d", got 100',
  ],
  [
    "time between questions too short",
    setting("syncInterval: 5ms"),
    '4:19: policies.api.syncInterval must be a duration from 10ms to 10s, got "5ms"',
  ],
  [
    "part of the rest above all of it",
    setting("leaseFraction: 1.5"),
    "4:20: policies.api.leaseFraction must be a number from 0 to 1, got 1.5",
  ],
  [
    "bound of what is too much in percent",
    setting("maxOvershoot: 5%"),
    '4:19: policies.api.maxOvershoot must be a number from 0 to 1, got "5%"',
  ],
  [
    "what only leases have, without them",
    setting("syncInterval: 50ms\n    maxOvershoot: 0.1"),
    '4:19: policies.api.syncInterval must be left out, since it is for coordination "hybrid" and this is "local", ' +
      'got "50ms"',
    '5:19: policies.api.maxOvershoot must be left out, since it is for coordination "hybrid" and this is "local", ' +
      "got 0.1",
  ],
  [
    "a setting misspelt",
    setting("override: []"),
    "4:5: unknown key policies.api.override; did you mean overrides?",
  ],
  // Overrides.
  [
    "overrides a map",
    setting("overrides: { key: a }"),
    `4:16: ${O} must be a list of overrides such as [{ key: "user:vip-*", unlimited: true }], got a map`,
  ],
  [
    "an override a text",
    overrides("user:vip-*"),
    `5:9: ${O}[0] must be a map such as { key: "user:vip-*", unlimited: true }, got a text`,
  ],
  [
    "no key",
    overrides("{ blocked: true }"),
    `5:9: ${O}[0].key is missing: write whose it is, such as key: "user:vip-*"`,
  ],
  [
    "a key that is a number",
    overrides("{ key: 42, blocked: true }"),
    `5:16: ${O}[0].key must be a text such as "user:42" or "user:vip-*", got 42; write key: "42"`,
  ],
  [
    "an empty key",
    overrides('{ key: "", blocked: true }'),
    `5:16: ${O}[0].key must be a key or pattern of 1 to 1024 characters, got ""`,
  ],
  [
    "a key with two stars",
    overrides("{ key: u*r*, blocked: true }"),
    `5:16: ${O}[0].key must be a key, or a pattern with one "*", got "u*r*"`,
  ],
  [
    "an effect misspelt",
    overrides("{ key: a, unlimted: true }"),
    `5:9: ${O}[0] must have one of limits, unlimited: true or blocked: true, got none of them`,
    `5:19: unknown key ${O}[0].unlimted; did you mean unlimited?`,
  ],
  [
    "two effects",
    overrides("{ key: a, unlimited: true, blocked: true }"),
    `5:9: ${O}[0] must have one of limits, unlimited: true or blocked: true, got unlimited and blocked`,
  ],
  [
    "an effect that is not",
    overrides("{ key: a, unlimited: false }", "{ key: b, blocked: 1 }"),
    `5:30: ${O}[0].unlimited must be true, got false; leave it out where it is not so`,
    `6:28: ${O}[1].blocked must be true, got 1; leave it out where it is not so`,
  ],
  [
    "an end without offset",
    overrides("{ key: a, blocked: true, until: 2027-01-01T00:00:00 }"),
    `5:41: ${O}[0].until must be ${INSTANT}, got "2027-01-01T00:00:00"`,
  ],
  [
    "an end that is a number",
    overrides("{ key: a, blocked: true, until: 1798761600 }"),
    `5:41: ${O}[0].until must be ${INSTANT}, got 1798761600`,
  ],
  [
    "an end that is no date",
    overrides("{ key: a, blocked: true, until: 2027-02-30T00:00:00Z }"),
    `5:41: ${O}[0].until must be ${INSTANT}, got "2027-02-30T00:00:00Z"`,
  ],
  [
    "limits of an override",
    overrides("{ key: a, limits: [{ algorithm: fixed-window, limit: 0, window: 5 }] }"),
    `5:62: ${O}[0].limits[0].limit must be a positive integer, got 0`,
    `5:73: ${O}[0].limits[0].window must be a duration with its unit, ` +
      'such as "500ms", "10s", "1m", "2h" or "1d", got 5',
  ],
  [
    "no limits of an override",
    overrides("{ key: a, limits: [] }"),
    `5:27: ${O}[0].limits must be a list of 1 to 8 limits such as [${LIMIT}], got 0 of them`,
  ],
  [
    "limits of one name in an override",
    overrides(
      `{ key: a, limits: [${LIMIT.replace(" }", ", name: b }")}, ${LIMIT.replace(" }", ", name: b }")}] }`,
    ),
    `5:27: ${O}[0].limits must have names that differ, got "b" twice`,
  ],
  [
    "permits in an override of a policy without",
    overrides("{ key: a, limits: [{ algorithm: concurrency, limit: 1, lease: 1s }] }"),
    `5:27: ${O}[0].limits must be limits without concurrency(), as the policy's are`,
  ],
  [
    "a key written twice",
    overrides(
      "{ key: a, blocked: true }",
      "{ key: b, blocked: true }",
      "{ key: a, unlimited: true }",
    ),
    `7:16: ${O}[2].key "a" is written twice, first in line 5`,
  ],
  [
    "all overrides at once, and the limits besides",
    `policies:\n  api:\n    limits: [5]\n    overrides:\n      - key: a\n        until: x\n        blocked: true\n` +
      "      - key: a\n        limits: 7\n",
    `3:14: policies.api.limits[0] must be a map such as ${LIMIT}, got 5`,
    `6:16: ${O}[0].until must be ${INSTANT}, got "x"`,
    `8:14: ${O}[1].key "a" is written twice, first in line 5`,
    `9:17: ${O}[1].limits must be a list of 1 to 8 limits such as [${LIMIT}], got 7`,
  ],
];

for (const [name, text, ...expected] of cases) {
  test(`refuses: ${name}`, async () => {
    const problems = refused(await load(text));
    assert.deepEqual(
      problems,
      expected.map((line) => `tidegate.yaml:${line}`),
    );
  });
}
