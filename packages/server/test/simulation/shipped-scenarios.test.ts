// The scenarios that come with the package, most with a tenth of their traffic: each shows what it is for.

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

async function run(
  name: string,
  { whole = false } = {},
): Promise<Record<string, ConfigurationReport>> {
  const report: Report = await simulate(whole ? load(name) : scaled(load(name)));
  for (const { name: configuration, verdicts } of report.configurations) {
    for (const { check, held, detail } of verdicts) {
      assert.ok(held, `${name}, ${configuration}, ${check}: ${detail}`);
    }
  }
  return Object.fromEntries(report.configurations.map((one) => [one.name, one]));
}

test("all that is shipped is right and says what it shows", () => {
  const names = listScenarios();
  assert.deepEqual(names, [
    ...["attacker", "failover", "gossip-partition", "notifications", "redis-killed", "regions"],
  ]);
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

test("failover: what was admitted in the half second that is lost is admitted again", async () => {
  const { "central, deny": central, "hybrid, deny": hybrid } = await run("failover", {
    whole: true,
  });
  const { detail } = central!.verdicts.find(({ check }) => check === "bound")!;
  const lost = Number(/and the (\d+) units that a failover lost/.exec(detail)![1]);
  assert.ok(lost > 200 && lost < 300, `half a second of 500 a second: ${lost}`);
  assert.equal(central!.admittedUnits - central!.idealUnits, lost);
  assert.ok(hybrid!.admittedUnits < hybrid!.idealUnits + 2 * lost);
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

/** What was admitted by the ideal from one second to another. */
function ratio({ timeline }: ConfigurationReport, from: number, until: number): number {
  const { intervalMs, admittedUnits, idealUnits } = timeline;
  const sum = (units: readonly number[]) => {
    const span = units.slice((from * 1_000) / intervalMs, (until * 1_000) / intervalMs);
    return span.reduce((total, one) => total + one, 0);
  };
  return sum(admittedUnits) / sum(idealUnits);
}

test("gossip-partition: each side admits the whole, or keeps to its share; then it is as before", async () => {
  const runs = await run("gossip-partition");
  const { "every 0.1 s": tenth, "every 1 s": second, "every 5 s": five } = runs;
  const share = runs["every 0.1 s, share"]!;
  for (const one of [tenth!, share]) {
    assert.ok(Math.abs(ratio(one, 5, 20) - 1) < 0.01, `${one.name} before: ${ratio(one, 5, 20)}`);
    assert.ok(Math.abs(ratio(one, 45, 60) - 1) < 0.01, `${one.name} after: ${ratio(one, 45, 60)}`);
  }
  assert.ok(Math.abs(ratio(tenth!, 25, 40) - 2) < 0.1, `two sides: ${ratio(tenth!, 25, 40)}`);
  assert.ok(Math.abs(ratio(share, 25, 40) - 1) < 0.1, `their shares: ${ratio(share, 25, 40)}`);
  assert.ok(tenth!.messages.sentBytes > 5 * second!.messages.sentBytes);
  assert.ok(second!.messages.sentBytes > 3 * five!.messages.sentBytes);
});

test("regions: the store across the ocean costs a wait, gossip none, and weights keep to the limit", async () => {
  const { central, gossip, "gossip, by weight": weighted } = await run("regions");
  assert.ok(central!.latencyMs.p99 > 80 && central!.sources.fallback! > 0);
  assert.equal(gossip!.latencyMs.max, 0);
  assert.ok(ratio(gossip!, 20, 30) > 1.5, "each region has the whole limit");
  assert.ok(Math.abs(ratio(weighted!, 22, 30) - 1) < 0.05, `${ratio(weighted!, 22, 30)}`);
  assert.ok(Math.abs(ratio(gossip!, 34, 45) - 1) < 0.03, `${ratio(gossip!, 34, 45)}`);
});

test("limits of the files are those of the library", () => {
  const limits = load("attacker").configurations.central!.limits;
  assert.deepEqual(limits, [tokenBucket({ capacity: 20, refill: "10/s" })]);
});
