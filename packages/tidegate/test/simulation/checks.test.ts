// The checks beside a simulation: what keeps a promise passes, and what breaks it by one unit is found.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calendarWindow,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { checkScenario, type Scenario, type Verdict, VirtualTime } from "tidegate/simulation";
import type { Decision, Source } from "../../src/decision.ts";
import type { GossipStatus } from "../../src/ports/telemetry.ts";
import { Checkers } from "../../src/simulation/checks/checkers.ts";
import { excessOf } from "../../src/simulation/checks/limit-account.ts";
import type { SimulatedNode } from "../../src/simulation/simulated-node.ts";

/** The beginning of a minute, and of a day. */
const NOTHING = { units: 0, admittedUnits: 0, idealUnits: 0 };
const START_US = 1_767_225_600_000_000;
const NONE = { beyond: 0, holdUs: 0 };

type Steps = readonly (readonly [atMs: number, cost: number])[];

const cases: readonly (readonly [string, Limit, Steps, excess: number])[] = [
  [
    "a bucket that is full",
    tokenBucket({ capacity: 5, refill: "5/s" }),
    [
      [0, 5],
      [200, 1],
    ],
    0,
  ],
  [
    "a bucket, a unit more",
    tokenBucket({ capacity: 5, refill: "5/s" }),
    [
      [0, 5],
      [199, 1],
    ],
    0.005,
  ],
  [
    "a bucket, all again",
    tokenBucket({ capacity: 5, refill: "3/s" }),
    [
      [0, 5],
      [999, 5],
    ],
    2.003,
  ],
  [
    "a queue",
    leakyBucket({ rate: "5/s", queue: 4 }),
    [
      [0, 5],
      [0, 1],
    ],
    1,
  ],
  [
    "a window",
    fixedWindow({ limit: 5, window: "1s" }),
    [
      [900, 5],
      [1_000, 5],
    ],
    0,
  ],
  [
    "a window, more",
    fixedWindow({ limit: 5, window: "1s" }),
    [
      [0, 5],
      [999, 2],
    ],
    2,
  ],
  [
    "a day",
    calendarWindow({ limit: 5, per: "day" }),
    [
      [-1, 5],
      [0, 5],
    ],
    0,
  ],
  [
    "a day, more",
    calendarWindow({ limit: 5, per: "day" }),
    [
      [0, 5],
      [86_399_999, 1],
    ],
    1,
  ],
  [
    "a sliding window",
    slidingWindow({ limit: 4, window: "1s" }),
    [
      [0, 4],
      [1_500, 2],
    ],
    0,
  ],
  [
    "a sliding window, more",
    slidingWindow({ limit: 4, window: "1s" }),
    [
      [0, 4],
      [1_499, 2],
    ],
    1,
  ],
  [
    "two windows on",
    slidingWindow({ limit: 4, window: "1s" }),
    [
      [0, 4],
      [2_000, 4],
    ],
    0,
  ],
  [
    "a log",
    slidingLog({ limit: 4, window: "1s" }),
    [
      [100, 4],
      [1_100, 4],
    ],
    0,
  ],
  [
    "a log, more",
    slidingLog({ limit: 4, window: "1s" }),
    [
      [100, 3],
      [1_099, 4],
    ],
    3,
  ],
];
for (const [name, limit, steps, expected] of cases) {
  test(`the account of ${name}`, () => {
    const admissions = steps.map(([atMs, cost]) => {
      const atUs = START_US + 1_000 * atMs;
      return { atUs, cost, trueUs: atUs };
    });
    const { units, trueUs } = excessOf(limit, admissions, NONE);
    assert.equal(Number(units.toFixed(3)), expected);
    assert.equal(trueUs, expected === 0 ? 0 : admissions[1]!.trueUs);
    const beyond = Math.ceil(expected);
    assert.equal(excessOf(limit, admissions, { beyond, holdUs: 0 }).units, 0);
  });
}

test("what a lease held over may be spent later, and no more in all", () => {
  const limit = tokenBucket({ capacity: 5, refill: "5/s" });
  const at = (...times: number[]) => {
    return times.map((ms) => ({ atUs: 1_000 * ms, cost: 1, trueUs: 1_000 * ms }));
  };
  const allowance = { beyond: 0, holdUs: 1_000_000 };
  const idle = [...at(0), ...at(...new Array(10).fill(10_000))];
  assert.equal(excessOf(limit, idle, NONE).units, 5);
  assert.equal(excessOf(limit, idle, allowance).units, 0);
  const six = at(...new Array(6).fill(0));
  assert.equal(excessOf(limit, six, allowance).units, 1);
  // Units came back from when the first question was under way, whoever was answered first.
  assert.equal(excessOf(limit, six, { ...allowance, sinceUs: -100_000 }).units, 0.5);
  assert.equal(excessOf(limit, six, { ...allowance, sinceUs: 100_000 }).units, 1);
});

const limits = [fixedWindow({ limit: 3, window: "1m" })];

/** Judges answers, each of a node, its source and a cost. */
function judge(
  options: Scenario["configurations"][string],
  answers: readonly (readonly [node: number, source: Source, cost: number])[],
  nodeOptions: Partial<SimulatedNode> = {},
  count = 2,
): Verdict[] {
  const result = checkScenario({
    name: "checks",
    duration: "10s",
    nodes: { count },
    traffic: [{ rate: 1_000, keys: ["a"] }],
    configurations: { configuration: options },
  });
  assert.ok("checked" in result, JSON.stringify(result));
  const { checked } = result;
  const configuration = checked.configurations[0]!;
  const time = new VirtualTime(START_US);
  const subject = { scenario: checked, configuration, startUs: START_US };
  const checkers = new Checkers(subject, time, () => NOTHING);
  const nodes = [0, 1].map((index) => {
    const plain = { index, life: 0, steps: 0, clockUs: START_US, pending: 0, unitsHeld: () => 0 };
    const silent = { gossip: () => undefined };
    return { ...plain, ...silent, ...nodeOptions } as unknown as SimulatedNode;
  });
  for (const [index, source, cost] of answers) {
    const request = { atUs: 5_000, stream: 0, key: "a", cost, node: index };
    const decision = { allowed: cost > 0, source } as Decision;
    // Denials are of one unit.
    const asked = { ...request, cost: Math.max(cost, 1) };
    checkers.answered({
      request: asked,
      decision,
      node: nodes[index]!,
      decidedUs: START_US + 5_000,
    });
  }
  const admittedUnits = answers.reduce((sum, [, , cost]) => sum + cost, 0);
  return checkers.verdicts(nodes, { admittedUnits, idealUnits: 3, lostUnits: new Map() });
}

const verdictOf = (verdicts: readonly Verdict[], check: Verdict["check"]) => {
  return verdicts.find((verdict) => verdict.check === check);
};

test("central: a unit beyond the limits is found, what the failure policy admits is told", () => {
  const central = { limits } as const;
  const right = judge(central, [
    [0, "store", 2],
    [1, "store", 1],
    [1, "fail-open", 9],
  ]);
  assert.deepEqual(verdictOf(right, "bound"), {
    check: "bound",
    held: true,
    detail: "1 key within the limits on all nodes together; 9 units by the failure policy beside",
  });
  const wrong = judge(central, [
    [0, "store", 2],
    [1, "store", 2],
  ]);
  assert.deepEqual(verdictOf(wrong, "bound"), {
    check: "bound",
    held: false,
    detail: '"a" was admitted 1 unit beyond limit simulated on all nodes together',
    atMs: 5,
  });
});

test("local: each node has the limits for itself", () => {
  const local = { limits, coordination: "local" } as const;
  assert.ok(
    verdictOf(
      judge(local, [
        [0, "local", 3],
        [1, "local", 3],
      ]),
      "bound",
    )!.held,
  );
  assert.ok(!verdictOf(judge(local, [[0, "local", 4]]), "bound")!.held);
});

test("local: one node alone is the ideal, which here admits 3", () => {
  const local = { limits, coordination: "local" } as const;
  const alone = (cost: number) => verdictOf(judge(local, [[0, "local", cost]], {}, 1), "bound");
  assert.ok(alone(3)!.held);
  assert.deepEqual(alone(2), {
    check: "bound",
    held: false,
    detail: "one node alone admitted 2 units, the ideal 3 units",
  });
});

test("hybrid: what is lent is part of the limit, and what is held at the end is told", () => {
  const hybrid = { limits, coordination: "hybrid" } as const;
  assert.ok(!verdictOf(judge(hybrid, [[0, "lease", 4]]), "bound")!.held);
  assert.ok(verdictOf(judge({ ...hybrid, maxOvershoot: 1 }, [[0, "lease", 4]]), "bound")!.held);
  assert.ok(verdictOf(judge(hybrid, []), "memory")!.held);
  const held = verdictOf(judge(hybrid, [], { unitsHeld: () => 2 }), "memory")!;
  assert.deepEqual(
    [held.held, held.detail],
    [false, "nodes hold 4 units in leases, 7 s after the last request"],
  );
});

test("gossip: what is admitted before news of it is allowed for, and keys that are kept are told", () => {
  const gossip = { limits, coordination: "gossip", gossip: { interval: "1s" } } as const;
  const bound = (units: number) => verdictOf(judge(gossip, [[0, "local", units]]), "bound")!;
  // The limit is 3; so many again, and one for each node.
  assert.ok(bound(8).held);
  assert.deepEqual(bound(9), {
    check: "bound",
    held: false,
    detail:
      '"a" was admitted 1 unit beyond limit simulated on all nodes together and the 5 units that news on its way ' +
      "allows",
    atMs: 5,
  });
  const status = { keys: 1 } as GossipStatus;
  const kept = verdictOf(judge(gossip, [], { gossip: () => status }), "memory")!;
  assert.equal(kept.held, false);
  assert.match(kept.detail, /^nodes count 2 keys, \d+ s after the last request$/);
});

test("many keys are said by thousands", () => {
  const status = { keys: 6_400 } as GossipStatus;
  const gossip = { limits, coordination: "gossip", gossip: { interval: "1s" } } as const;
  const kept = verdictOf(judge(gossip, [], { gossip: () => status }), "memory")!;
  assert.match(kept.detail, /^nodes count 12,800 keys, /);
});

test("a request without an answer is found", () => {
  const verdicts = judge({ limits }, [], { pending: 1 } as Partial<SimulatedNode>);
  assert.deepEqual(verdictOf(verdicts, "answers"), {
    check: "answers",
    held: false,
    detail: "2 requests without an answer at the end",
  });
});

test("a node that gets little of what both ask for is found", () => {
  const times = (node: number, admitted: number, asked: number) => {
    return Array.from({ length: asked }, (_, index) => {
      return [node, "store", index < admitted ? 1 : 0] as const;
    });
  };
  const short = [fixedWindow({ limit: 3, window: "1s" })];
  const fairness = (first: number, second: number) => {
    return verdictOf(
      judge({ limits: short }, [...times(0, first, 999), ...times(1, second, 999)]),
      "fairness",
    );
  };
  assert.ok(fairness(300, 310)!.held);
  const unfair = fairness(600, 200)!;
  assert.equal(unfair.held, false);
  assert.match(
    unfair.detail,
    /^Jain's index of the nodes is 0.800, of 0.9 at least; the least got 20/,
  );
  assert.equal(fairness(999, 999), undefined, "where all is admitted nothing is shared");
  assert.equal(fairness(20, 1), undefined, "so few units say nothing");
});
