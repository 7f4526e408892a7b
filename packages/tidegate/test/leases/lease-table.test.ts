import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow } from "tidegate";
import { LeaseTable } from "../../src/leases/lease-table.ts";
import { createPolicy } from "../../src/policy/policy.ts";

const limits = [fixedWindow({ limit: 9, window: "1h" })];
const api = createPolicy("api", { limits });
const web = createPolicy("web", { limits });

test("leases are kept by policy and key, and forgotten", () => {
  const table = new LeaseTable();
  assert.equal(table.find("api", "k"), undefined);
  const lease = table.create(api, "k", 0);
  const other = table.create(web, "k", 0);
  assert.equal(table.find("api", "k"), lease);
  assert.equal(table.find("web", "k"), other);
  assert.deepEqual([...table.all()], [lease, other]);
  table.drop(lease);
  assert.equal(lease.isDropped, true);
  assert.equal(table.find("api", "k"), undefined);
  const next = table.create(api, "k", 0);
  table.drop(lease);
  assert.equal(table.find("api", "k"), next, "the next one of the key stays");
});

test("each is looked at a second after it was created or watched, in order", () => {
  const table = new LeaseTable();
  const leases = [0, 100, 200].map((ms) => table.create(api, `${ms}`, ms * 1_000));
  assert.deepEqual(table.takeDue(999_999), []);
  assert.deepEqual(table.takeDue(1_100_000), leases.slice(0, 2));
  assert.equal(table.size, 1);
  table.watch(leases[0]!, 1_100_000);
  assert.deepEqual(table.takeDue(1_200_000), [leases[2]]);
  assert.deepEqual(table.takeDue(2_100_000), [leases[0]]);
  assert.equal(table.size, 0);
});

test("a clock that is stepped back has all of them looked at", () => {
  const table = new LeaseTable();
  const leases = ["a", "b"].map((key) => table.create(api, key, 3_600_000_000));
  assert.deepEqual(table.takeDue(0), leases);
});
