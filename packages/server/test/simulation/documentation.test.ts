// docs/simulation.md says what the simulator does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { simulate } from "tidegate/simulation";
import { sayReport } from "../../src/cli/simulate-report.ts";
import { readScenario } from "../../src/simulation/read-scenario.ts";
import { listScenarios } from "../../src/simulation/shipped-scenarios.ts";

const documentation = readFileSync(
  new URL("../../../../docs/simulation.md", import.meta.url),
  "utf8",
);
const blockOf = (kind: string) => {
  return new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\`$`, "ms").exec(documentation)![1]!;
};

test("the example is right, and gives the table that is beneath it", async () => {
  const read = readScenario("example.yaml", new TextEncoder().encode(blockOf("yaml")));
  assert.ok("scenario" in read, JSON.stringify(read));
  const said = sayReport(await simulate(read.scenario), (_, text) => text);
  assert.equal(
    said.trim(),
    blockOf("text").trim(),
    "run the example, and put what `tidegate simulate` says of it into the document",
  );
});

test("what is shipped is listed, and nothing else", () => {
  const section = documentation.split("## The scenarios that are shipped")[1]!.split("\n## ")[0]!;
  const listed = [...section.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name!);
  assert.deepEqual(listed.sort(), listScenarios());
});

test("every key and every fault has its place", () => {
  const asked = { limits: [], x: 1 };
  const probe = JSON.stringify({
    x: 1,
    nodes: { x: 1 },
    network: { x: 1, betweenRegions: { x: 1 } },
    traffic: [
      { x: 1, keys: { x: 1 }, burst: { x: 1 } },
      { log: "a", fields: { x: "b" } },
    ],
    configurations: { a: asked, b: { ...asked, coordination: "gossip", gossip: { x: 1 } } },
    faults: [
      { fault: "x" },
      { fault: "partition", x: 1 },
      { fault: "partition", sides: 1, x: 1 },
      { fault: "clock-step", x: 1 },
    ],
  });
  const read = readScenario("probe.yaml", new TextEncoder().encode(probe));
  assert.ok("problems" in read);
  const said = read.problems.map(({ message }) => message);
  const known = said.flatMap((message) => {
    const names =
      /; known are (.*)$/.exec(message)?.[1] ?? /\.fault must be (.*), got/.exec(message)?.[1];
    return names?.split(/, | or /) ?? [];
  });
  assert.ok(known.length > 40, known.join());
  for (const name of known) assert.ok(documentation.includes(name), `${name} is not explained`);
});
