// The scenarios that come with the package, with a tenth of their traffic and of their limits: each shows what it is
// for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucket } from "tidegate";
import {
  type ConfigurationReport,
  type Report,
  type Scenario,
  simulate,
} from "tidegate/simulation";
import { readScenario } from "../../src/simulation/read-scenario.ts";
import { listScenarios, loadShippedScenario } from "../../src/simulation/shipped-scenarios.ts";

const SCALE = 10;

function load(name: string): Scenario {
  const read = readScenario(name, loadShippedScenario(name));
  assert.ok("scenario" in read, JSON.stringify(read));
  return read.scenario;
}

/** A tenth of the requests, for a tenth of the keys where there are so many; the limits stay. */
function scaled({ traffic, ...scenario }: Scenario): Scenario {
  return {
    ...scenario,
    traffic: traffic.map((stream) => {
      const { keys = [], rate = 0 } = stream;
      const many =
        "count" in keys && keys.count >= SCALE ? { ...keys, count: keys.count / SCALE } : keys;
      return { ...stream, rate: rate / SCALE, keys: many };
    }),
  };
}

async function run(name: string): Promise<Record<string, ConfigurationReport>> {
  const report: Report = await simulate(scaled(load(name)));
  return Object.fromEntries(report.configurations.map((one) => [one.name, one]));
}

test("all that is shipped is right and says what it shows", () => {
  const names = listScenarios();
  assert.deepEqual(names, ["attacker", "notifications", "redis-killed"]);
  for (const name of names) assert.ok(load(name).name.length > 20);
});

test("redis-killed: each answer meanwhile has its price", async () => {
  const { deny, allow, local, "hybrid, local": hybrid } = await run("redis-killed");
  assert.ok(deny!.admittedOverIdeal! < 0.9 && deny!.deniedEarlyUnits > 0.1 * deny!.units);
  assert.ok(allow!.admittedOverIdeal! > 1.1);
  for (const one of [local!, hybrid!]) {
    assert.ok(Math.abs(one.admittedOverIdeal! - 1) < 0.05, `${one.name}: ${one.admittedOverIdeal}`);
    assert.ok(one.sources.fallback! > 0);
  }
});

test("notifications: leases ask the store seldom, and admit no more", async () => {
  const { central, hybrid, local } = await run("notifications");
  assert.ok(Math.abs(central!.admittedOverIdeal! - 1) < 0.01);
  assert.ok(hybrid!.admittedOverIdeal! < 1.005 && hybrid!.admittedOverIdeal! > 0.97);
  assert.ok(local!.admittedOverIdeal! > 1.5);
  assert.ok(hybrid!.storeCalls < central!.storeCalls / 2);
});

test("attacker: costs the store little, and the users nothing", async () => {
  const { central, local } = await run("attacker");
  const [users, attacker] = central!.traffic;
  assert.ok(central!.sources.cache! > attacker!.units / 2, "denials are known");
  assert.ok(central!.storeCalls < central!.requests / 2);
  assert.equal(users!.admittedUnits, users!.idealUnits);
  assert.ok(local!.traffic[1]!.admittedUnits > 2 * attacker!.admittedUnits);
});

test("limits of the files are those of the library", () => {
  const limits = load("attacker").configurations.central!.limits;
  assert.deepEqual(limits, [tokenBucket({ capacity: 20, refill: "10/s" })]);
});
