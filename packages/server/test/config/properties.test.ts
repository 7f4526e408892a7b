// Whatever is written, loading answers: with problems that have a place, or with a configuration that starts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLimiter, fixedWindow, tokenBucket } from "tidegate";
import { stringify } from "yaml";
import { readFileSettings } from "../../src/config/read-file.ts";
import { accepted, load } from "./support.ts";

const encoder = new TextEncoder();
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const count = fc.integer({ min: 1, max: 1_000_000 });
const unit = fc.constantFrom("ms", "s", "m", "h", "d");
const bucket = fc.record({
  algorithm: fc.constant("token-bucket" as const),
  capacity: count,
  refill: fc
    .tuple(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom("s", "m", "5s"))
    .map(([units, per]) => `${units}/${per}`),
});
const window = fc.record({
  algorithm: fc.constant("fixed-window" as const),
  limit: count,
  window: fc.tuple(fc.integer({ min: 1, max: 999 }), unit).map(([length, of]) => `${length}${of}`),
});
const limits = fc.array(fc.oneof(bucket, window), { minLength: 1, maxLength: 8 });
const policies = fc.dictionary(name, fc.record({ limits }), { minKeys: 1, maxKeys: 5 });

test("what is right is read as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(policies, fc.boolean(), async (written, flow) => {
      const text = stringify({ policies: written }, { collectionStyle: flow ? "flow" : "block" });
      const { policies: read } = accepted(await load(text));
      const expected = Object.fromEntries(
        Object.entries(written).map(([policy, options]) => {
          const made = options.limits.map(({ algorithm: _, ...rest }) => {
            return "capacity" in rest ? tokenBucket(rest) : fixedWindow(rest);
          });
          return [policy, { limits: made }];
        }),
      );
      assert.deepEqual(read, expected);
      createLimiter({ policies: read });
    }),
    { numRuns: 60 },
  );
});

/** Values that are right, nearly right and wrong, so that many configurations are nearly right. */
const anything = fc.anything({
  maxDepth: 2,
  values: [fc.string(), fc.double(), fc.boolean(), fc.constant(null)],
});
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 40, arbitrary: right }, { weight: 1, arbitrary: anything });
const document = fc.record(
  {
    store: mostly(
      fc.constantFrom("memory", "redis://h", "redis+cluster://a,b", "redis+sentinel://a/m"),
    ),
    coordination: mostly(fc.constantFrom("local", "local", "central")),
    host: mostly(fc.constantFrom("localhost", "::", "0.0.0.0")),
    ports: mostly(
      fc.record(
        {
          http: mostly(fc.integer({ min: 0, max: 9_999 })),
          grpc: mostly(fc.integer({ min: 0, max: 9_999 })),
        },
        { requiredKeys: [] },
      ),
    ),
    log: mostly(fc.constant({ level: "warn" })),
    drain: mostly(fc.constantFrom({ timeout: "1s" }, { timeout: "1h" })),
    policies: mostly(
      fc.dictionary(
        fc.oneof({ weight: 20, arbitrary: name }, { weight: 1, arbitrary: fc.string() }),
        mostly(
          fc.record(
            {
              limits: mostly(
                fc.array(mostly(fc.oneof(bucket, window)), { minLength: 1, maxLength: 8 }),
              ),
              coordination: mostly(fc.constantFrom("local", "central")),
            },
            { requiredKeys: ["limits"] },
          ),
        ),
        { minKeys: 1, maxKeys: 3 },
      ),
    ),
  },
  { requiredKeys: ["policies"] },
);

test("what is accepted makes a limiter; what is refused has a reason", async () => {
  let acceptances = 0;
  await fc.assert(
    fc.asyncProperty(document, async (written) => {
      const text = stringify(written, { aliasDuplicateObjects: false });
      const loaded = await load(text);
      if ("problems" in loaded) {
        assert.ok(loaded.problems.length > 0);
        for (const { message, place } of loaded.problems) {
          assert.ok(
            message.length > 0 && place !== undefined && place.line > 0 && place.column > 0,
            message,
          );
          assert.ok(place.line <= text.split("\n").length + 1, message);
        }
        return;
      }
      acceptances += 1;
      const { configuration } = loaded;
      const { coordination, store } = configuration;
      createLimiter({
        policies: configuration.policies,
        ...(coordination === undefined ? {} : { coordination }),
        ...(store === "memory" ? {} : { store: sharedStore() }),
      });
    }),
    { numRuns: 300 },
  );
  assert.ok(acceptances >= 10, `only ${acceptances} were accepted`);
});

test("no bytes make reading throw", () => {
  const characters = fc.constantFrom(
    ..."ab:{}[],&*!|>'\"%@`#-?<~ \t\n\r0",
    "policies",
    "limits",
    "\u0000",
    "\ufeff",
    "é",
  );
  const texts = fc
    .array(characters, { maxLength: 40 })
    .map((parts) => encoder.encode(parts.join("")));
  fc.assert(
    fc.property(fc.oneof(texts, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      const { problems, policies: read } = readFileSettings("f.yaml", bytes);
      assert.ok(problems.length > 0 || read.size > 0);
    }),
    { numRuns: 2_000 },
  );
});

function sharedStore() {
  const unused = () => {
    throw new Error("never asked");
  };
  const asked = { decide: unused, run: unused, split: unused, reset: unused, ping: unused };
  return { shared: true, ...asked, attach() {}, detach() {} };
}
