// The judge of the fault suite: a run that was right is let pass, and each thing that may go wrong is seen.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Fault, Heard } from "./fault.ts";
import type { ModeReport, NodeReport } from "./orders.ts";
import type { Run } from "./run-fault.ts";
import { wrongAnswers, wrongNodes } from "./verdict.ts";

const KEYS = ["sum", ...[0, 1, 2, 3, 4, 5].map((index) => `after-${index}`)];

function reportOf(changes: Partial<ModeReport> = {}): ModeReport {
  return {
    asked: 400,
    answered: 400,
    rejected: [],
    durationsMs: [],
    waitsMs: [],
    tally: {
      "before store": { allowed: 50, denied: 0 },
      "away fallback": { allowed: 6, denied: 9 },
    },
    admitted: { "sum before store": 50, "outage-1 away fallback": 6, "after-1 after store": 20 },
    sumRemaining: 500_000 - 50,
    late: 0,
    lastLeaseAtMs: Number.NaN,
    outageKeys: { hot: { all: 10, degraded: 10 } },
    recoveredAtMs: Object.fromEntries(KEYS.map((key) => [key, 1])),
    ...changes,
  };
}

interface Changes {
  readonly fault?: Partial<Fault>;
  readonly report?: Partial<ModeReport>;
  readonly node?: Partial<NodeReport>;
  readonly heard?: Heard;
  readonly isAway?: Run["isAway"];
  readonly unhandled?: readonly string[];
  readonly coordination?: Run["options"]["coordination"];
}

/** What was wrong of a run of one node under `local`, which asked nothing wrong but for the changes. */
function judged(changes: Changes = {}): string[] {
  const fault: Fault = {
    name: "a-fault",
    title: "A fault",
    leaves: "away",
    open: () => Promise.reject(new Error("not opened")),
    ...changes.fault,
  };
  const node: NodeReport = {
    modes: { local: reportOf(changes.report) },
    circuits: [],
    calls: {},
    newcomers: ["fallback"],
    stallMs: 0,
    unsettled: 0,
    ...changes.node,
  };
  const run: Run = {
    fault,
    options: {
      coordination: changes.coordination ?? "central",
      modes: ["local"],
      deadlineMs: 50,
      beforeMs: 0,
      outageMs: 0,
      afterMs: 0,
    },
    reports: [node],
    isAway: changes.isAway ?? (() => true),
    awayAtMs: 0,
    awayMs: 1_000,
    endedAtMs: 1_000,
    heard: changes.heard,
    unhandled: changes.unhandled ?? [],
  };
  return [...wrongAnswers(run, "local"), ...wrongNodes(run)];
}

const opened = (atMs: number) => ({ atMs, circuit: "", state: "open" });
const probed = (atMs: number) => ({ atMs, circuit: "", state: "half-open" });

describe("the judge of a fault", () => {
  test("lets pass what is right", () => {
    assert.deepEqual(judged(), []);
    assert.deepEqual(judged({ node: { circuits: [opened(0), probed(50), opened(60)] } }), []);
    assert.deepEqual(judged({ heard: { connections: 9, probes: 0, checks: 0 } }), []);
    assert.deepEqual(judged({ fault: { losses: 1 }, report: { sumRemaining: 500_000 } }), []);
  });

  test("lets pass what is right of leases", () => {
    const tally = {
      "away fallback": { allowed: 1, denied: 1 },
      "away lease": { allowed: 1, denied: 1 },
    };
    const admitted = {
      "sum away lease": 50,
      "outage-1 away lease": 12,
      "outage-1 failing store": 8,
    };
    const report = { tally, admitted, lastLeaseAtMs: 1_000 };
    assert.deepEqual(judged({ coordination: "hybrid", report }), []);
    const stranded = { ...report, sumRemaining: 500_000 - 101 };
    assert.deepEqual(judged({ coordination: "hybrid", report: stranded }), []);
  });

  const away = (name: string, allowed: number, denied: number) => ({
    tally: { "away fallback": { allowed: 1, denied: 1 }, [`away ${name}`]: { allowed, denied } },
  });
  const wrong: readonly (readonly [string, Changes, RegExp])[] = [
    ["a call that is not answered", { report: { answered: 399 } }, /1 of 400 are not answered/],
    ["a rejection", { report: { rejected: ["TidegateError"] } }, /1 rejected: TidegateError/],
    ["another policy's answer", { report: away("fail-open", 1, 0) }, /fail-open under local/],
    ["an answer from a store that is away", { report: away("store", 0, 1) }, /store that is away/],
    ["an admission from memory", { report: away("cache", 1, 0) }, /1 admitted by cache/],
    ["a fault that was none", { report: { tally: {} } }, /the fault was not there/],
    [
      "too large shares",
      { report: { admitted: { "outage-1 away fallback": 22 } } },
      /22 of 21 units/,
    ],
    ["too much of the store", { report: { admitted: { "after-1 after store": 21 } } }, /21 of 20/],
    ["a used-up key", { report: { admitted: { "hot after store": 1 } } }, /was used up/],
    ["a double charge", { report: { sumRemaining: 500_000 - 101 } }, /101 units charged for 100/],
    ["a lost charge", { report: { sumRemaining: 500_000 - 49 } }, /49 units charged, and 50/],
    ["a late one that is lost", { report: { late: 1 } }, /50 units charged, and 51 admitted/],
    ["no recovery", { report: { recoveredAtMs: { sum: 1 } } }, /only 1 of 7 keys recovered/],
    ["degraded neighbours", { isAway: () => false }, /10 of 10 answers degraded/],
    ["a lease without leases", { report: away("lease", 0, 1) }, /answers from lease under local/],
    [
      "a lease that lasts too long",
      { coordination: "hybrid", report: { lastLeaseAtMs: 1_003 } },
      /a lease spent 1003 ms after/,
    ],
    [
      "too much by leases and the store",
      { report: { admitted: { "after-1 after store": 11, "after-1 after lease": 10 } } },
      /21 of 20/,
    ],
    ["a used-up key by a lease", { report: { admitted: { "hot away lease": 1 } } }, /was used up/],
    [
      "a lease that is charged by nobody",
      { coordination: "hybrid", report: { admitted: { "sum away lease": 51 } } },
      /50 units charged, and 51/,
    ],
    ["an unhandled rejection", { unhandled: ["Error: x"] }, /not handled: Error: x/],
    ["an early probe", { node: { circuits: [opened(0), probed(40)] } }, /after 40 ms, and not 48/],
    [
      "a second probe too early",
      { node: { circuits: [opened(0), probed(50), opened(60), probed(120)] } },
      /after 60 ms, and not 98/,
    ],
    [
      "calls while it is away",
      { heard: { connections: 0, probes: 0, checks: 1 } },
      /1 script calls/,
    ],
    [
      "pings of nobody",
      { heard: { connections: 0, probes: 1, checks: 0 } },
      /1 pings for 0 probes/,
    ],
    ["a newcomer's rejection", { node: { newcomers: ["rejected: x"] } }, /newcomer rejected: x/],
    ["a close that hangs", { node: { unsettled: 1 } }, /1 close\(\) did not settle/],
  ];
  for (const [what, changes, message] of wrong) {
    test(`sees ${what}`, () => {
      const found = judged(changes);
      assert.ok(
        found.some((one) => message.test(one)),
        `${message} is not in ${JSON.stringify(found)}`,
      );
    });
  }
});
