// What simulations find is what is known of the coordinations, and the same seed finds the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, type Limit, slidingLog, slidingWindow, tokenBucket } from "tidegate";
import {
  type ConfigurationReport,
  type FaultOptions,
  type Scenario,
  simulate,
} from "tidegate/simulation";

const limits = [tokenBucket({ capacity: 50, refill: "50/s" })];

/** Twice what the limits of five keys admit, on three nodes. */
function scenarioOf(
  configurations: Scenario["configurations"],
  faults: readonly FaultOptions[] = [],
  others: Partial<Scenario> = {},
): Scenario {
  return {
    name: "test",
    duration: "6s",
    nodes: { count: 3 },
    traffic: [{ rate: 500, keys: { count: 5 } }],
    configurations,
    faults,
    ...others,
  };
}

async function only(...args: Parameters<typeof scenarioOf>): Promise<ConfigurationReport> {
  const { configurations } = await simulate(scenarioOf(...args));
  assert.equal(configurations.length, 1);
  return configurations[0]!;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

/** Units of a timeline from one second to another. */
function between(
  { timeline }: ConfigurationReport,
  what: "admittedUnits" | "idealUnits" | "units",
  [from, until]: readonly [number, number],
): number {
  const { intervalMs } = timeline;
  return sum(timeline[what].slice((from * 1_000) / intervalMs, (until * 1_000) / intervalMs));
}

const EVERY_FAULT: readonly FaultOptions[] = [
  { fault: "store-hangs", at: "500ms", for: "300ms" },
  { fault: "store-freezes", at: "1s", for: "300ms" },
  { fault: "store-refuses", at: "1500ms", for: "300ms", forgets: true },
  { fault: "network", at: "2s", for: "1s", latencyMs: 3, jitterMs: 2, loss: 0.02 },
  { fault: "crash", at: "3s", for: "300ms", nodes: [1] },
  { fault: "pause", at: "3500ms", for: "300ms", nodes: [2] },
  { fault: "clock-step", at: "4s", nodes: [3], stepMs: -5_000 },
  { fault: "partition", at: "4500ms", for: "500ms", nodes: [1, 2], lost: "answers" },
];

test("the same seed gives the same report to the byte, and another seed another", async () => {
  const configurations = {
    central: { limits, onStoreFailure: "local" },
    hybrid: { limits, coordination: "hybrid", maxOvershoot: 0.1 },
    local: { limits, coordination: "local" },
  } as const;
  const reportOf = async (seed: number) => {
    return JSON.stringify(await simulate(scenarioOf(configurations, EVERY_FAULT, { seed })));
  };
  const first = await reportOf(7);
  assert.equal(await reportOf(7), first);
  assert.notEqual(await reportOf(8), first);
});

test("all configurations are asked the same", async () => {
  const { configurations } = await simulate(
    scenarioOf({ one: { limits }, other: { limits, coordination: "hybrid" } }, EVERY_FAULT),
  );
  const [one, other] = configurations;
  assert.deepEqual(one!.timeline.units, other!.timeline.units);
  assert.deepEqual(one!.timeline.idealUnits, other!.timeline.idealUnits);
  assert.equal(one!.requests, sum(one!.timeline.units));
});

test("one node in memory is the ideal", async () => {
  const local = await only({ local: { limits, coordination: "local" } }, [], {
    nodes: { count: 1 },
  });
  assert.equal(local.admittedUnits, local.idealUnits);
  assert.deepEqual(local.timeline.admittedUnits, local.timeline.idealUnits);
  assert.deepEqual(
    [local.worstSecond.over, local.deniedEarlyUnits, local.storeCalls, local.latencyMs.max],
    [0, 0, 0, 0],
  );
  assert.ok(local.idealUnits < local.units, "it is over its limits");
});

test("three nodes in memory admit up to three times the limit, central and hybrid the limit", async () => {
  const { configurations } = await simulate(
    scenarioOf({
      local: { limits, coordination: "local" },
      central: { limits },
      hybrid: { limits, coordination: "hybrid" },
    }),
  );
  const [local, central, hybrid] = configurations;
  assert.ok(local!.admittedOverIdeal! > 1.4, `local: ${local!.admittedOverIdeal}`);
  assert.ok(Math.abs(central!.admittedOverIdeal! - 1) < 0.01, `${central!.admittedOverIdeal}`);
  // What it holds at the end is not admitted yet.
  const leased = hybrid!.admittedOverIdeal!;
  assert.ok(leased > 0.95 && leased <= 1.01, `hybrid: ${leased}`);
  assert.deepEqual(Object.keys(local!.sources), ["local"]);
  assert.deepEqual(Object.keys(central!.sources), ["cache", "store"]);
  assert.deepEqual(Object.keys(hybrid!.sources), ["lease"]);
  assert.ok(hybrid!.storeCalls < central!.storeCalls);
});

test("what a latency is, is what the network takes there and back", async () => {
  const { latencyMs } = await only({ central: { limits } }, [], {
    network: { latencyMs: 2, jitterMs: 0 },
    traffic: [{ rate: 50, keys: { count: 5 } }],
  });
  // Within 1 %, and one that comes before the one ahead of it waits for that one.
  assert.ok(Math.abs(latencyMs.p50 - 4) < 0.05, `${latencyMs.p50} ms`);
  assert.equal(latencyMs.max, 4);
});

for (const fault of ["store-refuses", "store-hangs", "store-freezes"] as const) {
  test(`${fault}: the policy answers, and the store when it is back`, async () => {
    const faults = [{ fault, at: "2s", for: "2s" }] as const;
    const open = await only({ open: { limits } }, faults, { duration: "9s" });
    assert.equal(open.unansweredRequests, 0);
    assert.ok(open.sources["fail-open"]! > 500);
    assert.ok([2, 3].includes(open.worstSecond.second), `second ${open.worstSecond.second}`);
    assert.ok(
      between(open, "admittedUnits", [2.5, 4]) > 1.6 * between(open, "idealUnits", [2.5, 4]),
    );
    const back = between(open, "admittedUnits", [7, 9]) / between(open, "idealUnits", [7, 9]);
    assert.ok(Math.abs(back - 1) < 0.02, `after it, ${back} of the ideal is admitted`);

    const closed = await only({ closed: { limits, onStoreFailure: "deny" } }, faults);
    assert.equal(between(closed, "admittedUnits", [2.5, 4]), 0);
    assert.ok(closed.sources["fail-closed"]! > 0);
    assert.ok(closed.deniedEarlyUnits > 200, "what the ideal admitted meanwhile is missed");
  });
}

test("a store that forgets admits its capacity again", async () => {
  const window = [fixedWindow({ limit: 20, window: "1h" })];
  const faults = [{ fault: "store-refuses", at: "2s", for: "1s" }] as const;
  const policy = { limits: window, onStoreFailure: "deny" } as const;
  const kept = await only({ kept: policy }, faults);
  const forgot = await only({ forgot: policy }, [{ ...faults[0], forgets: true }]);
  assert.equal(kept.admittedUnits, 100);
  assert.equal(forgot.admittedUnits, 200);
});

test("a node that crashes loses what it was asked, and others are asked meanwhile", async () => {
  const report = await only({ central: { limits } }, [
    { fault: "crash", at: "2s", for: "2s", nodes: [1, 2] },
  ]);
  assert.ok(report.lostRequests < 10, "no more than are on their way");
  const answered = sum(Object.values(report.sources));
  assert.equal(answered + report.lostRequests, report.requests);
  const none = await only({ central: { limits } }, [{ fault: "crash", at: "2s", for: "2s" }]);
  assert.ok(none.lostRequests > 900, "with no node up all are lost");
});

test("a node that is paused answers when it goes on", async () => {
  const pause = [{ fault: "pause", at: "2s", for: "1s", nodes: [1] }] as const;
  const { latencyMs, unansweredRequests } = await only(
    { local: { limits, coordination: "local" } },
    pause,
  );
  assert.ok(latencyMs.max > 900 && latencyMs.max <= 1_000, `${latencyMs.max} ms`);
  assert.equal(unansweredRequests, 0);
});

test("a node that is cut off answers by its policy, the others from the store", async () => {
  for (const lost of ["both", "questions", "answers"] as const) {
    const report = await only({ central: { limits } }, [
      { fault: "partition", at: "1s", for: "4s", nodes: [1], lost },
    ]);
    const open = report.sources["fail-open"]!;
    assert.ok(open > 500 && open < 800, `${lost}: a third of 2,000, ${open}`);
  }
});

test("nodes on the other side of the store answer by their policy, and the report says the sides", async () => {
  const cut = { fault: "partition", at: "1s", for: "4s", sides: [[1, 2], [3]], store: 1 } as const;
  const { faults, configurations } = await simulate(scenarioOf({ central: { limits } }, [cut]));
  const open = configurations[0]!.sources["fail-open"]!;
  assert.ok(open > 500 && open < 800, `a third of 2,000, ${open}`);
  const when = { fromMs: 1_000, untilMs: 5_000 };
  const placed = { nodes: [1, 2, 3], sides: [[1, 2], [3]], storeSide: 1 };
  assert.deepEqual(faults, [{ fault: "partition", ...when, ...placed, lost: "both" }]);
});

test("nodes of another region wait for the store across", async () => {
  const { latencyMs } = await only({ central: { limits, deadline: "500ms" } }, [], {
    nodes: { regions: { eu: 2, us: 2 } },
    network: { latencyMs: 1, jitterMs: 0, betweenRegions: { latencyMs: 50, jitterMs: 0 } },
    traffic: [{ rate: 50, keys: { count: 5 }, spread: "round-robin" }],
  });
  assert.ok(Math.abs(latencyMs.p50 - 2) < 0.1, `${latencyMs.p50} ms`);
  assert.equal(latencyMs.max, 100);
});

test("a clock that is set forward fills a bucket in memory, and none in the store", async () => {
  const step = [{ fault: "clock-step", at: "3s", stepMs: 3_600_000 }] as const;
  const slow = [tokenBucket({ capacity: 10, refill: "10/h" })];
  const local = { limits: slow, coordination: "local" } as const;
  const one = { nodes: { count: 1 } };
  assert.equal((await only({ local }, [], one)).admittedUnits, 50);
  assert.equal((await only({ local }, step, one)).admittedUnits, 100);
  assert.equal((await only({ central: { limits: slow } }, step, one)).admittedUnits, 50);
});

test("bursts come at once and again, and streams begin and end", async () => {
  const report = await only(
    { central: { limits: [slidingLog({ limit: 30, window: "1s" })] } },
    [],
    {
      traffic: [
        {
          name: "bursts",
          burst: { every: "2s", requests: 40 },
          keys: ["a"],
          spread: "round-robin",
        },
        { name: "late", rate: 10, arrivals: "constant", from: "5s", keys: ["b"] },
      ],
    },
  );
  const [bursts, late] = report.traffic;
  assert.deepEqual(bursts, { name: "bursts", units: 120, admittedUnits: 90, idealUnits: 90 });
  assert.deepEqual([late!.units, late!.admittedUnits], [9, 9]);
  assert.equal(between(report, "units", [1, 2]), 0);
});

test("requests are replayed: in the order of time, faster, with their costs, and none after the end", async () => {
  const requests = [
    { atMs: 9_000, key: "b", cost: 20 },
    { atMs: 0, key: "a" },
    { atMs: 3_000, key: "b", cost: 40 },
    { atMs: 11_000, key: "a" },
  ];
  const replayed = (speed: number) => {
    const traffic = [{ requests, speed, from: "1s", spread: "by-key" }] as const;
    return only({ central: { limits } }, [], { traffic });
  };
  const twice = await replayed(2);
  assert.deepEqual([twice.requests, twice.units, twice.admittedUnits], [3, 61, 61]);
  assert.deepEqual(
    [between(twice, "units", [1, 2]), between(twice, "units", [2, 3])],
    [1, 40],
    "it begins with the stream",
  );
  assert.equal(between(twice, "units", [5, 6]), 20);
  // All at once they are more than the bucket of 50 admits.
  const atOnce = await replayed(1_000_000);
  assert.deepEqual([atOnce.requests, atOnce.admittedUnits], [4, 42]);
});

const GOSSIP = { limits, coordination: "gossip" } as const;

test("nodes that gossip keep the limit without a store, and what they say is counted", async () => {
  const report = await only({ GOSSIP }, [], { network: { duplication: 0.1 } });
  assert.ok(Math.abs(report.admittedOverIdeal! - 1) < 0.05, `${report.admittedOverIdeal}`);
  assert.deepEqual(Object.keys(report.sources), ["local"]);
  assert.deepEqual([report.storeCalls, report.latencyMs.max], [0, 0]);
  const { sent, sentBytes, arrived, arrivedBytes } = report.messages;
  assert.ok(sent > 500 && sentBytes > 10 * sent, `${sent} messages of ${sentBytes} bytes`);
  assert.ok(arrived > 1.05 * sent && arrivedBytes > 1.05 * sentBytes, "a tenth comes twice");
  assert.equal(sum(report.timeline.messages), sent);
  assert.equal(sum(report.timeline.messageBytes), sentBytes);
  const seldom = await only({ seldom: { ...GOSSIP, gossip: { interval: "1s" } } });
  assert.ok(seldom.messages.sent < sent / 5, `${seldom.messages.sent}`);
  const memory = seldom.verdicts.find(({ check }) => check === "memory");
  assert.deepEqual(memory?.held, true, memory?.detail);
});

test("gossip through every fault gives the same report again", async () => {
  const faults: readonly FaultOptions[] = [
    ...EVERY_FAULT,
    { fault: "partition", at: "5s", for: "500ms", sides: [[1], [2, 3]], lost: "forward" },
  ];
  const network = { loss: 0.05, duplication: 0.05, reordering: 0.1 };
  const reportOf = async () => {
    return JSON.stringify(await simulate(scenarioOf({ GOSSIP }, faults, { network })));
  };
  assert.equal(await reportOf(), await reportOf());
});

test("each side of a partition has the limit, or its share of it", async () => {
  const partition = [{ fault: "partition", at: "4s", for: "10s", sides: [[1], [2, 3]] }] as const;
  const longer = {
    duration: "20s",
    traffic: [{ rate: 1_600, keys: { count: 16 } }],
  } as const;
  const full = await only({ full: GOSSIP }, partition, longer);
  const share = await only({ share: { ...GOSSIP, partition: "share" } }, partition, longer);
  const meanwhile = (report: ConfigurationReport) => {
    return between(report, "admittedUnits", [8, 14]) / between(report, "idealUnits", [8, 14]);
  };
  // The node that is alone is asked for less than the whole limit.
  assert.ok(meanwhile(full) > 1.4, `full: ${meanwhile(full)}`);
  // Each side leaves what is in doubt to the other.
  assert.ok(meanwhile(share) > 0.8 && meanwhile(share) < 1.02, `share: ${meanwhile(share)}`);
  for (const { name, verdicts } of [full, share]) {
    assert.deepEqual(
      verdicts.map(({ check }) => check),
      ["bound", "convergence", "answers"],
    );
    assert.ok(
      verdicts.every(({ held }) => held),
      `${name}: ${JSON.stringify(verdicts)}`,
    );
  }
});

test("convergence is judged of what is promised to converge", async () => {
  const cut = [{ fault: "partition", at: "1s", for: "1s", sides: [[1], [2, 3]] }] as const;
  const isJudged = async (limit: Limit, interval = "100ms") => {
    const gossip = { limits: [limit], coordination: "gossip", gossip: { interval } } as const;
    const load = { duration: "20s", traffic: [{ rate: 2_000, keys: ["a"] }] } as const;
    const { verdicts } = await only({ gossip }, cut, load);
    return verdicts.some(({ check }) => check === "convergence");
  };
  const bucket = tokenBucket({ capacity: 900, refill: "900/s" });
  assert.equal(await isJudged(bucket), true);
  assert.equal(await isJudged(bucket, "1100ms"), false, "it fills within an interval");
  const small = (capacity: number) => tokenBucket({ capacity, refill: "900/s" });
  assert.equal(await isJudged(small(30), "20ms"), true);
  assert.equal(await isJudged(small(29), "20ms"), false, "it is a few units for each node");
  assert.equal(await isJudged(slidingWindow({ limit: 500, window: "1s" })), false);
});

test("a limit that is split by weights is kept in each region, by gossip or a store of each", async () => {
  const weights = { limits, regions: { eu: 4, us: 1 } };
  const cut = [{ fault: "partition", at: "1s", for: "4s", sides: ["eu", "us"] }] as const;
  const { configurations } = await simulate(
    scenarioOf(
      {
        gossip: { ...weights, coordination: "gossip" },
        central: { ...weights, coordination: "central" },
        hybrid: { ...weights, coordination: "hybrid" },
      },
      cut,
      { nodes: { regions: { eu: 2, us: 2 } }, traffic: [{ rate: 1_000, keys: { count: 5 } }] },
    ),
  );
  for (const report of configurations) {
    const { name, admittedOverIdeal, sources, verdicts } = report;
    assert.ok(admittedOverIdeal! > 0.8, `${name}: ${admittedOverIdeal}`);
    assert.ok(admittedOverIdeal! < 1.05, `${name}: ${admittedOverIdeal}`);
    assert.equal(sources["fail-open"], undefined, `${name} is not cut off from its own store`);
    assert.ok(
      verdicts.every(({ held }) => held),
      `${name}: ${JSON.stringify(verdicts)}`,
    );
  }
});

test("how far it is, is told, and a signal ends it", async () => {
  const told: number[] = [];
  const scenario = scenarioOf({ one: { limits }, other: { limits } });
  await simulate(scenario, { progress: ({ done }) => told.push(done) });
  assert.deepEqual(
    told,
    told.toSorted((one, other) => one - other),
  );
  assert.equal(told.at(-1), 1);
  assert.ok(told.length > 150);
  const controller = new AbortController();
  const ended = simulate(scenario, {
    signal: controller.signal,
    progress: () => controller.abort(new Error("enough")),
  });
  await assert.rejects(ended, /enough/);
});
