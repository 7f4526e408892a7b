// What is wrong with a scenario is said at once, each with its field, its value and what would be right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, leakyBucket, tokenBucket } from "tidegate";
import { checkScenario, type Scenario, simulate } from "tidegate/simulation";

const limits = [tokenBucket({ capacity: 50, refill: "50/s" })];
const right: Scenario = {
  name: "right",
  duration: "10s",
  nodes: { count: 3 },
  traffic: [{ rate: 100, keys: ["a"] }],
  configurations: { central: { limits } },
};

const wrong: readonly (readonly [Record<string, unknown>, string, RegExp])[] = [
  [{ name: 1 }, "name", /^name must be a name of 1 to 120 letters, got 1$/],
  [{ duration: "long" }, "duration", /^duration must be a duration such as/],
  [{ duration: "2h" }, "duration", /^duration must be at most 1h, got "2h"/],
  [{ seed: -1 }, "seed", /^seed must be a whole number from 0 to 4294967295, got -1$/],
  [{ sed: 1 }, "sed", /^unknown option "sed" of scenario; did you mean "seed"\?$/],
  [{ nodes: { count: 0 } }, "nodes.count", /^nodes.count must be a whole number from 1 to 200/],
  [{ nodes: 3 }, "nodes", /^nodes must be an object with count, regions, clockSkewMs/],
  [
    { nodes: { regions: {} } },
    "nodes.regions",
    /must be an object with the nodes of 1 to 16 regions/,
  ],
  [{ nodes: { regions: { eu: 0 } } }, "nodes.regions.eu", /must be a whole number from 1 to 200/],
  [{ nodes: { count: 2, regions: { eu: 3 } } }, "nodes.count", /must be left out, or 3 as there/],
  [{ nodes: { regions: { a: 150, b: 150 } } }, "nodes.regions", /must have 200 nodes at most/],
  [{ network: { duplication: 2 } }, "network.duplication", /must be a number from 0 to 1, got 2$/],
  [
    { network: { betweenRegions: { latencyMs: -1 } } },
    "network.betweenRegions.latencyMs",
    /must be a number from 0 to 60000, got -1$/,
  ],
  [
    { network: { betweenRegions: { duplication: 1 } } },
    "network.betweenRegions.duplication",
    /^unknown option "duplication" of network.betweenRegions/,
  ],
  [{ network: { loss: 2 } }, "network.loss", /^network.loss must be a number from 0 to 1, got 2$/],
  [{ traffic: [] }, "traffic", /^traffic must be a list of 1 to 16 streams/],
  [{ traffic: [{ keys: ["a"] }] }, "traffic[0]", /^traffic\[0\].rate must be requests a second/],
  [{ traffic: [{ rate: 1 }] }, "traffic[0].keys", /^traffic\[0\].keys must be an object/],
  [
    { traffic: [{ rate: 1, keys: ["a"], arrivals: "possion" }] } as never,
    "traffic[0].arrivals",
    /^traffic\[0\].arrivals must be poisson or constant, got "possion" \(did you mean poisson\?\)$/,
  ],
  [{ traffic: [{ rate: 1, keys: [""] }] }, "traffic[0].keys[0]", /key/],
  [
    { traffic: [{ rate: 1, keys: ["a"], until: "11s" }] },
    "traffic[0].until",
    /until must be after the beginning of the stream and up to the end, 10000 ms, got "11s"/,
  ],
  [
    { traffic: [{ rate: 1, keys: ["a"], weights: [1, 2] }] },
    "traffic[0].weights",
    /must be a list of 3 numbers, one for each node/,
  ],
  [
    { traffic: [{ rate: 1, keys: { count: 5, exponent: 2 } }] },
    "traffic[0].keys.exponent",
    /must be left out unless distribution is zipf/,
  ],
  [{ traffic: [{ requests: 5 }] }, "traffic[0].requests", /must be a list of requests, such as/],
  [{ traffic: [{ requests: [] }] }, "traffic[0].requests", /must have at least one request, got n/],
  [
    {
      traffic: [
        {
          requests: [
            { atMs: 0, key: "a" },
            { atMs: -1, key: "a" },
          ],
        },
      ],
    },
    "traffic[0].requests[1]",
    /^traffic\[0\].requests\[1\].atMs must be milliseconds since the first request, got -1$/,
  ],
  [{ traffic: [{ requests: [{ atMs: 0, key: "" }] }] }, "traffic[0].requests[0]", /^key must be/],
  [
    { traffic: [{ requests: [{ atMs: 0, key: "a" }], keys: ["a"] }] },
    "traffic[0].keys",
    /must be left out of a stream that replays$/,
  ],
  [
    { traffic: [{ requests: [{ atMs: 0, key: "a" }], speed: 0 }] },
    "traffic[0].speed",
    /must be a number from 0.001 to 1000000, got 0$/,
  ],
  [{ traffic: [{ rate: 1, keys: ["a"], speed: 2 }] }, "traffic[0].speed", /that does not replay$/],
  [{ configurations: {} }, "configurations", /must be an object with 1 to 8 configurations/],
  [
    { configurations: { a: { limits, coordination: "gosip" } } },
    "configurations.a.coordination",
    /must be local, central, hybrid or gossip, got "gosip"/,
  ],
  [
    { configurations: { a: { limits, gossip: { interval: "1s" } } } },
    "configurations.a.gossip",
    /must be left out unless coordination is gossip, got central/,
  ],
  [
    { configurations: { a: { limits, coordination: "gossip", gossip: { interval: "1ms" } } } },
    "configurations.a.gossip.interval",
    /^configurations.a.gossip.interval must be a duration from 10ms to 1m, got "1ms"/,
  ],
  [
    { configurations: { a: { limits, coordination: "gossip", gossip: { region: "eu" } } } },
    "configurations.a.gossip.region",
    /^unknown option "region" of configurations.a.gossip/,
  ],
  [
    { configurations: { a: { limits, coordination: "gossip", partition: "half" } } },
    "configurations.a.partition",
    /^configurations.a.partition must be "full" or "share", got "half"/,
  ],
  [
    { configurations: { a: { limits, coordination: "gossip", deadline: "50ms" } } },
    "configurations.a.deadline",
    /must be left out unless coordination is central or hybrid, got gossip/,
  ],
  [
    {
      nodes: { regions: { eu: 1, us: 1 } },
      configurations: { a: { limits, coordination: "gossip", regions: { eu: 1 } } },
    },
    "configurations.a.regions",
    /^configurations.a.regions must be an object with a weight for .*"us"/,
  ],
  [
    {
      nodes: { regions: { eu: 1 } },
      configurations: { a: { limits, regions: { eu: 0 } } },
    },
    "configurations.a.regions.eu",
    /^configurations.a.regions.eu must be a positive integer, got 0/,
  ],
  [
    {
      nodes: { regions: { eu: 1 } },
      configurations: { a: { limits, coordination: "local", regions: { eu: 1 } } },
    },
    "configurations.a.regions",
    /must be left out unless coordination is central or hybrid or gossip, got local/,
  ],
  [
    { configurations: { a: { limits, syncInterval: "1s" } } },
    "configurations.a.syncInterval",
    /must be left out unless coordination is hybrid, got central/,
  ],
  [
    { configurations: { a: { limits, deadline: "2s" } } },
    "configurations.a.deadline",
    /^configurations.a.deadline must be a duration of at most 1s, got "2s"/,
  ],
  [
    { configurations: { a: { limits: [] } } },
    "configurations.a.limits",
    /^configurations.a.limits/,
  ],
  [
    { configurations: { a: { limits: [concurrency({ limit: 5, lease: "1m" })] } } },
    "configurations.a.limits",
    /no concurrency limit/,
  ],
  [
    {
      configurations: {
        a: { limits: [leakyBucket({ rate: "5/s", queue: 3 })], coordination: "hybrid" },
      },
    },
    "configurations.a.limits",
    /for coordination hybrid/,
  ],
  [{ faults: [{ at: "1s" }] }, "faults[0]", /^faults\[0\].fault must be one of store-refuses/],
  [{ faults: [{ fault: "crsh" }] }, "faults[0].fault", /^faults\[0\].fault must be store-refuses/],
  [
    { faults: [{ fault: "crash", at: "10s", for: "1s" }] },
    "faults[0].at",
    /must be before the end of the scenario, which is after 10000 ms, got "10s"/,
  ],
  [
    { faults: [{ fault: "crash", at: 0, for: "1s", nodes: [0] }] },
    "faults[0].nodes",
    /must be a list of nodes from 1 to 3/,
  ],
  [
    {
      faults: [
        { fault: "store-hangs", at: "1s", for: "2s" },
        { fault: "store-refuses", at: "2s", for: "2s" },
      ],
    },
    "faults[1]",
    /^faults\[1\] must not overlap faults\[0\], which is of the same kind$/,
  ],
  [
    { faults: [{ fault: "store-hangs", at: 0, for: "1s", loses: "soon" }] },
    "faults[0].loses",
    /^faults\[0\].loses must be a duration such as/,
  ],
  [
    { faults: [{ fault: "store-hangs", at: 0, for: "1s", loses: "1s", forgets: true }] },
    "faults[0].loses",
    /^faults\[0\].loses must be left out where forgets is true: then all is lost, got "1s"$/,
  ],
  [
    { faults: [{ fault: "store-freezes", at: 0, for: "1s", loses: "1s" }] },
    "faults[0].loses",
    /must be left out of store-freezes, which does all that it was asked when it is back, got/,
  ],
  ...[[[1], [1]], [[1]], [[1], [4]], [[1], []], ["eu", [1]], 5].map((sides) => {
    const faults = [{ fault: "partition", at: 0, for: "1s", sides }];
    const message = /must be a list of 2 sides or more, each a region or a list of nodes/;
    return [{ faults }, "faults[0].sides", message] as const;
  }),
  [
    { faults: [{ fault: "partition", at: 0, for: "1s", sides: [[1], [2]], store: 3 }] },
    "faults[0].store",
    /must be a whole number from 1 to 2, got 3$/,
  ],
  [
    { faults: [{ fault: "partition", at: 0, for: "1s", sides: [[1], [2]], lost: "answers" }] },
    "faults[0].lost",
    /must be both, forward or back, got "answers"$/,
  ],
  [
    { faults: [{ fault: "partition", at: 0, for: "1s", sides: [[1], [2]], nodes: [1] }] },
    "faults[0].nodes",
    /^unknown option "nodes"/,
  ],
  [
    { faults: [{ fault: "clock-step", at: "1s", for: "1s", stepMs: 5 }] },
    "faults[0].for",
    /^unknown option "for"/,
  ],
];

for (const [change, field, message] of wrong) {
  test(`wrong: ${JSON.stringify(change).slice(0, 90)}`, async () => {
    const scenario = { ...right, ...change } as Scenario;
    const result = checkScenario(scenario);
    assert.ok("problems" in result);
    assert.deepEqual(
      result.problems.map((problem) => problem.field),
      [field],
    );
    assert.match(result.problems[0]!.message, message);
    await assert.rejects(simulate(scenario), { code: "INVALID_OPTION", field, message });
  });
}

test("all that is wrong is said at once", () => {
  const result = checkScenario({
    ...right,
    seed: 0.5,
    nodes: { count: 0 },
    network: { loss: -1 },
    configurations: { a: { limits, deadline: "2s", onStoreFailure: "maybe" as "deny" } },
  });
  assert.ok("problems" in result);
  assert.deepEqual(
    result.problems.map(({ field }) => field),
    [
      ...["seed", "nodes.count", "network.loss", "configurations.a.deadline"],
      "configurations.a.onStoreFailure",
    ],
  );
});

for (const nodes of [{ count: 0 }, { cuont: 6 }, 3, { regions: { eu: 2, us: 0 } }, {}]) {
  test(`where nodes are ${JSON.stringify(nodes)}, nothing is said of how many there are`, () => {
    const result = checkScenario({
      ...right,
      nodes,
      traffic: [
        { rate: 1, keys: ["a"], weights: [1, 2, 3, 4, 5] },
        { rate: 1, keys: ["a"], weights: [0] },
      ],
      configurations: { a: { limits, regions: { eu: 2, us: 1 } } },
      faults: [
        { fault: "crash", at: 0, for: "1s", nodes: [4] },
        { fault: "crash", at: "1s", for: "1s", nodes: [0] },
        { fault: "crash", at: "2s", for: "1s" },
        {
          fault: "partition",
          at: 0,
          for: "1s",
          sides: [
            [1, 2],
            [3, 4],
          ],
        },
        { fault: "partition", at: 0, for: "1s", sides: ["eu", "us"] },
      ],
    } as Scenario);
    assert.ok("problems" in result);
    const others = result.problems.filter(({ field }) => !field.startsWith("nodes"));
    assert.deepEqual(
      others.map(({ message }) => message),
      [
        "traffic[1].weights must be a list of numbers, one for each node, not all of them 0, got [0]",
        "faults[1].nodes must be a list of nodes from 1 on, got [0]",
      ],
    );
  });
}

test("what is right is right", () => {
  assert.ok("checked" in checkScenario(right));
  const faults = [
    { fault: "crash", at: 0, for: "1s", nodes: [1] },
    { fault: "crash", at: 0, for: "1s", nodes: [2, 3] },
    { fault: "crash", at: "1s", for: "1s" },
  ] as const;
  assert.ok("checked" in checkScenario({ ...right, faults }));
  const nodes = { regions: { eu: 2, us: 1 } };
  const sides = [
    { fault: "partition", at: 0, for: "2s", sides: ["eu", [3]], store: 1 },
    { fault: "partition", at: "1s", for: "2s", sides: [[1], [2]], lost: "back" },
  ] as const;
  const placed = checkScenario({ ...right, nodes, faults: sides });
  assert.ok("checked" in placed, JSON.stringify(placed));
  assert.deepEqual(placed.checked.regions, ["eu", "eu", "us"]);
  const [first] = placed.checked.faults;
  assert.ok(first !== undefined && "partition" in first);
  assert.deepEqual(first.partition, { sideOf: [0, 0, 1], storeSide: 0, lost: "both" });
});
