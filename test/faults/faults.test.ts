// The most telling faults, in short, under the load of three processes: what is decided is what is documented of each
// failure policy, every call is answered, no rejection is left unhandled. `npm run faults` runs all of them, longer.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { withoutRedis } from "../support/redis-server.ts";
import { FAULTS } from "./faults.ts";
import { Nodes } from "./nodes.ts";
import { MODES } from "./orders.ts";
import { runFault } from "./run-fault.ts";
import { wrongAnswers, wrongNodes } from "./verdict.ts";

const TELLING = [
  "killed-empty",
  "killed-with-data",
  "frozen",
  "frozen-redis",
  "refused-at-start",
  "cut-mid-reply",
  "mute",
  "full",
  "read-only",
  "scripts-flushed",
  "busy",
  "sentinel-failover",
  "cluster-master-lost",
  "cluster-slots-move",
  "rotated-password",
  "blocked-loop",
  "clock-back",
];

/** Of those, what leases in hand make a difference to. */
const TELLING_OF_LEASES = ["killed-empty", "killed-with-data", "frozen", "blocked-loop"];

const unhandled: string[] = [];
const note = (error: unknown) => unhandled.push(String(error));

describe("under load from three nodes", { skip: withoutRedis }, () => {
  let nodes: Nodes;
  before(() => {
    process.on("unhandledRejection", note);
    nodes = new Nodes(3);
  });
  after(async () => {
    process.off("unhandledRejection", note);
    await nodes.stop();
  });

  const runs = [
    ...TELLING.map((name) => ({ name, coordination: "central" as const })),
    ...TELLING_OF_LEASES.map((name) => ({ name, coordination: "hybrid" as const })),
  ];
  for (const { name, coordination } of runs) {
    const fault = FAULTS.find((one) => one.name === name);
    assert.ok(fault !== undefined, `there is no fault ${name}`);
    test(`${fault.title}, ${coordination}: right answers, nothing pending, few probes`, async () => {
      const run = await runFault(fault, nodes, {
        coordination,
        modes: MODES,
        deadlineMs: 50,
        beforeMs: 600,
        outageMs: 1_000,
        afterMs: 200,
      });
      assert.deepEqual(wrongNodes(run), []);
      for (const mode of MODES) assert.deepEqual(wrongAnswers(run, mode), [], mode);
      assert.deepEqual(unhandled, []);
    });
  }
});
