// No password leaves through a message, however broken the address it stands in.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactText } from "../../src/config/redact.ts";
import { checkStore } from "../../src/config/values.ts";

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
