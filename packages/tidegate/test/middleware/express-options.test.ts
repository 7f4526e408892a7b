// The options of the Express middleware are refused where they are wrong, by name, at construction.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RateLimitOptions, rateLimit } from "tidegate/express";
import { createTestLimiter } from "./express-setup.ts";

describe("rateLimit, options", () => {
  const limiter = createTestLimiter();
  const table: [string, unknown, { code: string; field: string; message: RegExp }][] = [
    ["none", undefined, { code: "INVALID_OPTION", field: "rateLimit", message: /an object with/ }],
    [
      "an unknown one",
      { limiter, policy: "api", keys: () => "k" },
      { code: "INVALID_OPTION", field: "keys", message: /did you mean "key"\?/ },
    ],
    [
      "no limiter",
      { policy: "api" },
      { code: "INVALID_OPTION", field: "limiter", message: /createLimiter\(\), got undefined/ },
    ],
    [
      "a limiter that is none",
      { limiter: {}, policy: "api" },
      { code: "INVALID_OPTION", field: "limiter", message: /createLimiter\(\), got \{\}/ },
    ],
    [
      "an unknown policy",
      { limiter, policy: "logni" },
      { code: "UNKNOWN_POLICY", field: "policy", message: /did you mean "login"\?/ },
    ],
    [
      "no policy",
      { limiter },
      { code: "INVALID_OPTION", field: "policy", message: /a policy's name, or a function/ },
    ],
    [
      "a key that is no function",
      { limiter, policy: "api", key: "user" },
      { code: "INVALID_OPTION", field: "key", message: /a function, got "user"/ },
    ],
    [
      "a negative cost",
      { limiter, policy: "api", cost: -1 },
      { code: "INVALID_OPTION", field: "cost", message: /a whole number from 0.*got -1/ },
    ],
    [
      "a cost that no limit has",
      { limiter, policy: "api", cost: 1e12 },
      { code: "INVALID_OPTION", field: "cost", message: /from 0 to 1000000000.*got 1000000000000/ },
    ],
    [
      "a fractional cost",
      { limiter, policy: "api", cost: 0.5 },
      { code: "INVALID_OPTION", field: "cost", message: /got 0.5/ },
    ],
    [
      "a skip that is no function",
      { limiter, policy: "api", skip: true },
      { code: "INVALID_OPTION", field: "skip", message: /a function, got true/ },
    ],
    [
      "a refundWhen that is no function",
      { limiter, policy: "api", refundWhen: "failed" },
      { code: "INVALID_OPTION", field: "refundWhen", message: /a function, got "failed"/ },
    ],
    [
      "a refundWhen for permits",
      { limiter, policy: "exports", refundWhen: () => true },
      { code: "INVALID_OPTION", field: "refundWhen", message: /concurrency limit.*"exports"/ },
    ],
    [
      "an unknown header version",
      { limiter, policy: "api", headers: "draft-6" },
      { code: "INVALID_OPTION", field: "headers", message: /"draft-11", got "draft-6"/ },
    ],
    ...[0, 31, 129, 64.5, "64"].map(
      (ipv6Prefix): [string, unknown, { code: string; field: string; message: RegExp }] => [
        `an IPv6 prefix of ${JSON.stringify(ipv6Prefix)}`,
        { limiter, policy: "api", ipv6Prefix },
        { code: "INVALID_OPTION", field: "ipv6Prefix", message: /from 32 to 128/ },
      ],
    ),
  ];
  for (const [what, options, expected] of table) {
    it(`refuses ${what}`, () => {
      assert.throws(() => rateLimit(options as RateLimitOptions), expected);
    });
  }
});
