// No password leaves through a message, however broken the address it stands in.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactText, redactUrl } from "../../src/config/redact.ts";
import { checkStore } from "../../src/config/values.ts";

const addresses: readonly (readonly [string, string])[] = [
  ["memory", "memory"],
  ["redis://127.0.0.1:6379", "redis://127.0.0.1:6379"],
  ["redis://[::1]:6379/2", "redis://[::1]:6379/2"],
  ["redis+sentinel://a:26379,b:26379/main/1", "redis+sentinel://a:26379,b:26379/main/1"],
  ["redis://:secret@host:6379", "redis://***@host:6379"],
  ["redis://user:secret@host:6379/0", "redis://***@host:6379/0"],
  ["rediss+cluster://user:secret@a:1,b:2", "rediss+cluster://***@a:1,b:2"],
  ["redis://user@host", "redis://***@host"],
  ["redis://user:se@cr:e/t@host", "redis://***@host"],
  ["redis://user:sec?ret#x@host", "redis://***@host"],
  ["REDIS://user:secret@host", "REDIS://***@host"],
  ["redis:/user:secret@host", "redis:/***@host"],
  ["redis:user:secret@host", "redis:***@host"],
  ["user:secret@host", "user:***@host"],
  ["redis://host:6379?password=secret", "redis://host:6379?***"],
  ["redis://host:6379#secret", "redis://host:6379#***"],
  ["redis://host:secret", "redis://host:***"],
  ["redis://:secret", "redis://:***"],
];

for (const [address, expected] of addresses) {
  test(`shows ${expected}`, () => assert.equal(redactUrl(address), expected));
}

test("finds addresses inside a message", () => {
  assert.equal(
    redactText('cannot reach "redis://u:p@h:1" or rediss://:q@[::1]/2, nor redis://h?p=x'),
    'cannot reach "redis://***@h:1" or rediss://***@[::1]/2, nor redis://h?***',
  );
});

test("the refusal of an address never shows its password", () => {
  const password = fc.string({ minLength: 6, maxLength: 20 }).map((text) => `S3CRET${text}`);
  const scheme = fc.constantFrom(
    "redis",
    "rediss",
    "redis+cluster",
    "redis+sentinel",
    "REDIS",
    "http",
  );
  const rest = fc.constantFrom("host:99999", "", "a b", "host/x/y", "host:1,host:2/1", "[::1");
  fc.assert(
    fc.property(scheme, password, rest, (name, secret, host) => {
      const checked = checkStore(`${name}://user:${secret}@${host}`);
      if ("wrong" in checked) assert.ok(!checked.wrong.includes("S3CRET"), checked.wrong);
    }),
  );
});
