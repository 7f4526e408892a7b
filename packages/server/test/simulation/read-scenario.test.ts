// A scenario in YAML: what is right is read, what is wrong is said with line and column.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../src/config/problem.ts";
import { readScenario } from "../../src/simulation/read-scenario.ts";

const RIGHT = `name: example
duration: 10s
nodes: { count: 2 }
traffic:
  - { rate: 10, keys: [a, b], from: 0s }
configurations:
  central:
    limits: &limits
      - { algorithm: token-bucket, capacity: 5, refill: 5/s }
  with leases:
    limits: *limits
    coordination: hybrid
    syncInterval: 200ms
faults:
  - { fault: store-hangs, at: 2s, for: 1s, loses: 500ms }
`;

function problemsOf(text: string): string[] {
  const read = readScenario("s.yaml", new TextEncoder().encode(text));
  return "problems" in read ? read.problems.map(formatProblem) : [];
}

test("a scenario is read", () => {
  const read = readScenario("s.yaml", new TextEncoder().encode(RIGHT));
  assert.ok("scenario" in read, JSON.stringify(read));
  const { scenario } = read;
  assert.equal(scenario.name, "example");
  assert.deepEqual(scenario.traffic, [{ rate: 10, keys: ["a", "b"], from: "0s" }]);
  assert.deepEqual(Object.keys(scenario.configurations), ["central", "with leases"]);
  assert.deepEqual(scenario.configurations["with leases"]!.limits[0]!.limit, 5);
  assert.deepEqual(scenario.faults, [
    { fault: "store-hangs", at: "2s", for: "1s", loses: "500ms" },
  ]);
});

const wrong: readonly (readonly [from: string, to: string, said: readonly RegExp[]])[] = [
  ["duration: 10s", "duration: 10", [/^s.yaml:2:1: duration must be a duration with its unit/]],
  [
    "duration: 10s",
    "duraton: 10s",
    [
      /^s.yaml:1:1: duration must be a duration .*, got nothing/,
      /^s.yaml:2:1: unknown option "duraton" of scenario; did you mean "duration"\?$/,
    ],
  ],
  ["count: 2", "count: two", [/^s.yaml:3:17: nodes.count must be a whole number .* got "two"$/]],
  ["rate: 10", "rate: -1", [/^s.yaml:5:13: traffic\[0\].rate must be a number from 0.001/]],
  ["rate: 10, ", "", [/^s.yaml:5:5: traffic\[0\].rate must be requests a second, .* got nothing$/]],
  ["keys: [a, b]", "keys: 5", [/^s.yaml:5:23: traffic\[0\].keys must be an object with count/]],
  [
    "capacity: 5",
    "capacity: 0",
    [/^s.yaml:9:46: configurations.central.limits\[0\].capacity must/],
  ],
  ["hybrid", "gosip", [/^s.yaml:12:19: configurations.with leases.coordination must be .*"gosip"/]],
  [
    "hybrid\n",
    "central\n",
    [/^s.yaml:13:19: configurations.with leases.syncInterval must be left out unless .* hybrid/],
  ],
  ["fault: store-hangs", "fault: store-hang", [/^s.yaml:15:14: faults\[0\].fault must be store-/]],
  ["at: 2s", "at: 20s", [/^s.yaml:15:31: faults\[0\].at must be before the end/]],
  ["for: 1s", "for: 1s, for: 2s", [/^s.yaml:15:44: .*for is written twice, first in line 15$/]],
  ["name: example", "name: [", [/^s.yaml:\d+:\d+: not valid YAML/]],
  [RIGHT, "", [/^s.yaml:1:1: the file is empty: write a scenario such as/]],
  [RIGHT, "5", [/^s.yaml:1:1: the file must be a map such as/]],
];

for (const [from, to, said] of wrong) {
  test(`wrong: ${JSON.stringify(to.slice(0, 40))} for ${JSON.stringify(from.slice(0, 40))}`, () => {
    const problems = problemsOf(RIGHT.replace(from, to));
    assert.equal(problems.length, said.length, problems.join("\n"));
    for (const [index, one] of said.entries()) assert.match(problems[index]!, one);
  });
}

const REPLAY = RIGHT.replace("{ rate: 10, keys: [a, b], from: 0s }", "{ log: a.csv, speed: 2 }");

test("a log stands for its requests, and lines that cannot be read are told", () => {
  const good = "1.25,a\n2.25,b\n".repeat(100);
  const load = (path: string) => {
    assert.equal(path, "a.csv");
    return new TextEncoder().encode(`time,key\n${good}later,c\n`);
  };
  const read = readScenario("s.yaml", new TextEncoder().encode(REPLAY), load);
  assert.ok("scenario" in read, JSON.stringify(read));
  const [stream] = read.scenario.traffic;
  assert.deepEqual(Object.keys(stream!), ["speed", "requests"]);
  assert.equal([...stream!.requests!].length, 200);
  assert.equal(read.notes.length, 1);
  assert.match(read.notes[0]!, /^1 of 201 lines of "a.csv" are left out, .*; line 202 has no time/);
});

const wrongLogs: readonly (readonly [written: string, said: RegExp])[] = [
  ["log: no.csv", /^s.yaml:5:12: traffic\[0\].log "no.csv" cannot be read: there is no such file$/],
  ["log: 5", /^s.yaml:5:12: traffic\[0\].log must be the path of a log, got 5$/],
  ["log: bad.csv", /^s.yaml:5:12: traffic\[0\].log "bad.csv" has 1 of 1 lines .*; line 2 is no/],
  ["log: a.csv, format: cvs", /^s.yaml:5:27: traffic\[0\].format must be .*; did you mean csv\?$/],
  [
    "log: a.csv, fields: { tim: ts }",
    /^s.yaml:5:34: .*fields.tim is unknown; did you mean time\?$/,
  ],
  [
    "log: a.csv, fields: { key: 5 }",
    /^s.yaml:5:34: .*fields.key must be the name of a field, got 5$/,
  ],
  ["log: a.log, fields: { key: ip }", /^s.yaml:5:34: .*fields.key must be address, identity, /],
  ["log: a.csv, rate: 5", /^s.yaml:5:25: traffic\[0\].rate must be left out of a stream that rep/],
  [
    "log: a.csv, logs: b",
    /^s.yaml:5:19: unknown option "logs" of traffic\[0\]; known are .*, log, format, fields, speed$/,
  ],
  ["rate: 5, keys: [a], speed: 2", /^s.yaml:5:34: traffic\[0\].speed must be left out/],
];
for (const [written, said] of wrongLogs) {
  test(`a log that is wrong: ${written}`, () => {
    const load = (path: string) => {
      if (path === "no.csv") throw Object.assign(new Error("none"), { code: "ENOENT" });
      return new TextEncoder().encode(path === "bad.csv" ? "time,key\n1" : "time,key\n1,a");
    };
    const text = REPLAY.replace("log: a.csv, speed: 2", written);
    const read = readScenario("s.yaml", new TextEncoder().encode(text), load);
    assert.ok("problems" in read);
    assert.equal(read.problems.length, 1, read.problems.map(formatProblem).join("\n"));
    assert.match(formatProblem(read.problems[0]!), said);
  });
}

test("all that is wrong is said at once, in the order of the file", () => {
  const problems = problemsOf(
    RIGHT.replace("count: 2", "count: 0")
      .replace("capacity: 5", "capacity: none")
      .replace("at: 2s", "at: soon"),
  );
  assert.deepEqual(
    problems.map((problem) => problem.split(":")[1]),
    ["3", "9", "15"],
  );
});

test("aliases cannot make a file grow without a bound", () => {
  const lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"];
  for (let depth = 1; depth < 7; depth += 1) {
    const items = new Array(10).fill(`*a${depth - 1}`).join(", ");
    lines.push(`a${depth}: &a${depth} [${items}]`);
  }
  const problems = problemsOf(lines.join("\n"));
  assert.equal(problems.length, 1, problems.join("\n").slice(0, 2_000));
  assert.match(problems[0]!, /more values, or deeper ones, than a scenario may have/);
});

test("a name with brackets and points has a place, too", () => {
  const [problem] = problemsOf(RIGHT.replace("with leases:", '"a[b].c":').replace("200ms", "200m"));
  assert.match(problem!, /^s.yaml:13:19: configurations.a\[b\].c.syncInterval must be a duration/);
});
