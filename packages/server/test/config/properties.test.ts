// Whatever is written, loading answers: with problems that have a place, or with a configuration that starts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  burst,
  calendarWindow,
  concurrency,
  createLimiter,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { stringify } from "yaml";
import { readFileSettings } from "../../src/config/read-file.ts";
import { accepted, load } from "./support.ts";

const encoder = new TextEncoder();
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const count = fc.integer({ min: 1, max: 1_000_000 });
const unit = fc.constantFrom("ms", "s", "m", "h", "d");
const rate = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom("s", "m", "5s"))
  .map(([units, per]) => `${units}/${per}`);
const bucket = fc.record({
  algorithm: fc.constant("token-bucket" as const),
  capacity: count,
  refill: rate,
});
const duration = fc
  .tuple(fc.integer({ min: 1, max: 999 }), unit)
  .map(([length, of]) => `${length}${of}`);
const soft = fc.boolean();
const limit = fc.integer({ min: 1, max: 1_000_000 });
const windowed = <Name extends string>(algorithm: Name) => {
  return fc.record(
    { algorithm: fc.constant(algorithm), limit, window: duration, soft },
    { requiredKeys: ["algorithm", "limit", "window"] },
  );
};
const calendar = fc.record(
  {
    algorithm: fc.constant("calendar-window" as const),
    limit,
    per: fc.constantFrom("day" as const, "week" as const, "month" as const),
    timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns"),
    soft,
  },
  { requiredKeys: ["algorithm", "limit", "per"] },
);
const leaky = fc.record({
  algorithm: fc.constant("leaky-bucket" as const),
  rate,
  queue: fc.integer({ min: 0, max: 1_000 }),
});
const bursting = fc.record({
  algorithm: fc.constant("burst" as const),
  rate: fc.integer({ min: 1, max: 100 }).map((units) => `${units}/s`),
  upTo: fc.integer({ min: 101, max: 200 }).map((units) => `${units}/s`),
  for: fc.constantFrom("1s", "5s", "1m"),
});
const anyLimit = fc.oneof(
  bucket,
  windowed("fixed-window"),
  windowed("sliding-window"),
  windowed("sliding-log"),
  calendar,
  leaky,
  bursting,
);
const PERMITS = { algorithm: "concurrency" as const, limit: 3, lease: "30s" };
const FACTORIES = {
  "token-bucket": tokenBucket,
  "fixed-window": fixedWindow,
  "sliding-window": slidingWindow,
  "sliding-log": slidingLog,
  "leaky-bucket": leakyBucket,
  "calendar-window": calendarWindow,
  concurrency,
  burst,
} as const;
interface Written {
  readonly algorithm: keyof typeof FACTORIES;
}

/** Three at most, as each may be a burst, which is two, and permits may come to them. */
const limits = fc.array<Written>(anyLimit, { minLength: 1, maxLength: 3 });
const overridesOf = (some: fc.Arbitrary<Written[]>) => {
  const effect = fc.oneof(
    fc.record({ limits: some }),
    fc.constant({ unlimited: true }),
    fc.constant({ blocked: true }),
  );
  const until = fc.constantFrom({}, { until: "2027-01-31T12:00:00Z" });
  const keys = fc.uniqueArray(fc.stringMatching(/^[a-z:]{1,9}\*?$/), { maxLength: 4 });
  return keys.chain((all) => {
    const one = (key: string) => {
      return fc.tuple(effect, until).map(([does, ends]) => ({ key, ...does, ...ends }));
    };
    return fc.tuple(...all.map(one));
  });
};
const policy = fc
  .oneof(
    limits,
    limits.map((some) => [...some, PERMITS]),
  )
  .chain((some) => {
    const holds = some.includes(PERMITS);
    const own = holds ? limits.map((others) => [...others, PERMITS]) : limits;
    return fc.record(
      {
        limits: fc.constant(some),
        nearLimit: fc.constantFrom("80%", 0.5, 1),
        shadow: fc.boolean(),
        idTtl: fc.constantFrom("10s", "1d"),
        deadline: fc.constantFrom("1ms", "50ms", "1s"),
        onStoreFailure: fc.constantFrom("allow", "deny", "local"),
        overrides: overridesOf(own),
      },
      { requiredKeys: ["limits"] },
    );
  });
const policies = fc.dictionary(name, policy, { minKeys: 1, maxKeys: 5 });

/** Makes of written limits what is to be read. */
function made(written: readonly Written[]): Limit[] {
  return written.flatMap(({ algorithm, ...rest }) => {
    return FACTORIES[algorithm](rest as never);
  });
}

/** Leaves out what no two limits share: calendars have functions. */
const plain = (policiesMade: object): unknown => JSON.parse(JSON.stringify(policiesMade));

test("what is right is read as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(policies, fc.boolean(), async (written, flow) => {
      const text = stringify({ policies: written }, { collectionStyle: flow ? "flow" : "block" });
      const { policies: read } = accepted(await load(text));
      const expected = Object.fromEntries(
        Object.entries(written).map(([policy, options]) => {
          const { overrides } = options;
          const own = overrides?.map((one) => {
            return "limits" in one ? { ...one, limits: made(one.limits as Written[]) } : one;
          });
          const read = { ...options, limits: made(options.limits) };
          return [policy, own === undefined ? read : { ...read, overrides: own }];
        }),
      );
      assert.deepEqual(plain(read), plain(expected));
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
/** What most may not have is left out mostly. */
const seldom = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 20, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: right });
const document = fc.record(
  {
    store: mostly(
      fc.constantFrom("memory", "redis://h", "redis+cluster://a,b", "redis+sentinel://a/m"),
    ),
    coordination: mostly(fc.constantFrom("local", "local", "central", "hybrid")),
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
              limits: mostly(fc.array(mostly(anyLimit), { minLength: 1, maxLength: 8 })),
              coordination: mostly(fc.constantFrom("local", "central", "hybrid")),
              nearLimit: mostly(fc.constantFrom("80%", 0.5)),
              overrides: mostly(overridesOf(limits)),
              leaseFraction: seldom(mostly(fc.constantFrom(0, 0.5, 1))),
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
  return {
    shared: true,
    decide: unused,
    run: unused,
    split: unused,
    reset: unused,
    ping: unused,
    attach() {},
    detach() {},
  };
}
