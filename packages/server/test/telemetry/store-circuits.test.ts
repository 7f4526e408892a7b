import assert from "node:assert/strict";
import { test } from "node:test";
import type { CircuitChange } from "tidegate";
import { MAX_NODES, type NodeChange, StoreCircuits } from "../../src/telemetry/store-circuits.ts";

type State = CircuitChange["state"];

function circuitsOf() {
  let second = 0;
  const changes: NodeChange[] = [];
  const timestamp = () => `2027-01-31T12:00:${String(second).padStart(2, "0")}.000Z`;
  const circuits = new StoreCircuits({ timestamp }, (change) => changes.push(change));
  const change = (node: string, deadlineMs: number, state: State, reason?: string) => {
    circuits.change({ node, deadlineMs, state, reason });
  };
  return {
    circuits,
    changes,
    change,
    at(seconds: number) {
      second = seconds;
    },
  };
}

test("a node is as bad as the worst of its deadlines", () => {
  const { circuits, changes, change } = circuitsOf();
  const steps: readonly (readonly [number, State, State])[] = [
    [50, "open", "open"],
    [1_000, "open", "open"],
    [50, "half-open", "open"],
    [1_000, "half-open", "half-open"],
    [50, "closed", "half-open"],
    [50, "open", "open"],
    [1_000, "closed", "open"],
    [50, "closed", "closed"],
  ];
  for (const [deadlineMs, state, worst] of steps) {
    change("", deadlineMs, state);
    assert.equal(circuits.stateOf(""), worst, `${deadlineMs} ${state}`);
  }
  assert.deepEqual(
    changes.map(({ before, state }) => `${before} > ${state}`),
    ["closed > open", "open > half-open", "half-open > open", "open > closed"],
  );
});

test("since is when it was last closed and is no more, whatever is probed meanwhile", () => {
  const { circuits, change, at } = circuitsOf();
  circuits.expect("a");
  const since = () => circuits.list().map((one) => one.since.slice(17, 19));
  at(5);
  change("a", 50, "open", "refused");
  assert.deepEqual(since(), ["05"]);
  at(6);
  change("a", 50, "half-open");
  at(7);
  change("a", 50, "open", "refused");
  assert.deepEqual(since(), ["05"]);
  at(8);
  change("a", 50, "closed");
  assert.deepEqual(since(), ["08"]);
});

test("nodes are told apart, and one that nothing was heard of is closed", () => {
  const { circuits, changes, change } = circuitsOf();
  change("10.0.0.1:7000", 50, "open", "refused");
  change("10.0.0.2:7000", 50, "closed");
  assert.equal(circuits.stateOf("10.0.0.1:7000"), "open");
  assert.equal(circuits.stateOf("10.0.0.3:7000"), "closed");
  assert.deepEqual(
    circuits.list().map(({ node, state }) => [node, state]),
    [
      ["10.0.0.1:7000", "open"],
      ["10.0.0.2:7000", "closed"],
    ],
  );
  assert.deepEqual(
    changes.map(({ node, reason }) => [node, reason]),
    [["10.0.0.1:7000", "refused"]],
  );
});

test("as many nodes as ever come, no more than so many are known, and one that is away is kept", () => {
  const { circuits, change } = circuitsOf();
  change("away", 50, "open");
  for (let index = 0; index < 2 * MAX_NODES; index += 1) {
    change(`well-${index}`, 50, "open");
    change(`well-${index}`, 50, "closed");
  }
  assert.equal(circuits.list().length, MAX_NODES);
  assert.equal(circuits.stateOf("away"), "open");
  for (let index = 0; index < 2 * MAX_NODES; index += 1) change(`ill-${index}`, 50, "open");
  assert.equal(circuits.list().length, MAX_NODES);
  assert.equal(circuits.stateOf(`ill-${2 * MAX_NODES - 1}`), "open");
});
