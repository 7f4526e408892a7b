// `tidegate simulate`: the command as a person runs it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { tokenBucket } from "tidegate";
import { type Report, simulate } from "tidegate/simulation";
import type { Context } from "../../src/cli/context.ts";
import { createProgressBar } from "../../src/cli/progress-bar.ts";
import { writeFiles } from "../../src/cli/simulate-files.ts";
import { writeCsv } from "../../src/simulation/report-csv.ts";
import { execute, runHere } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "tidegate-simulate-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const SCENARIO = `name: two nodes
duration: 2s
nodes: { count: 2 }
traffic:
  - { rate: 100, keys: [a] }
configurations:
  central: { limits: [{ algorithm: token-bucket, capacity: 10, refill: 10/s }] }
  local:
    limits: [{ algorithm: token-bucket, capacity: 10, refill: 10/s }]
    coordination: local
faults:
  - { fault: store-refuses, at: 1s, for: 300ms }
`;
writeFileSync(join(directory, "two.yaml"), SCENARIO);

const filesOf = () => {
  return ["a.json", "a.csv", "a.html"].map((file) => readFileSync(join(directory, file), "utf8"));
};

test("says a table and writes what is asked for, the same each time", async () => {
  const args = ["simulate", "two.yaml", "--json", "a.json", "--csv", "a.csv", "--html", "a.html"];
  const outcome = await execute(args, { directory });
  assert.deepEqual([outcome.code, outcome.stderr], [0, ""]);
  assert.match(outcome.stdout, /two nodes\n {2}2 nodes, 2 s of traffic, seed 1\n/);
  assert.match(outcome.stdout, /1 s to 1\.3 s: store refuses/);
  assert.match(outcome.stdout, /Admitted ÷ ideal +\d\.\d{3} +\d\.\d{3}\n/);
  assert.match(outcome.stdout, /Written: a\.html\n/);
  assert.ok(!outcome.stdout.includes("\u001b"), "no colours where there is no terminal");
  const files = filesOf();
  const report = JSON.parse(files[0]!) as Report;
  assert.deepEqual(
    report.configurations.map(({ name }) => name),
    ["central", "local"],
  );
  assert.deepEqual(await execute(args, { directory }), outcome);
  assert.deepEqual(filesOf(), files);
  await runHere(["simulate", "two.yaml", "--seed", "2", "--json", "a.json"], {}, directory);
  const other = JSON.parse(filesOf()[0]!) as Report;
  assert.equal(other.seed, 2);
  assert.notDeepEqual(other.configurations, report.configurations);
});

test("lists what is shipped", async () => {
  const { code, stdout } = await runHere(["simulate", "--list"]);
  assert.equal(code, 0);
  assert.match(stdout, /^ {2}attacker +an attacker at 10,000\/s behind five nodes$/m);
  assert.match(stdout, /^ {2}redis-killed +a strict central limiter whose Redis is killed$/m);
});

test("a scenario that is wrong is said with line and column", async () => {
  writeFileSync(join(directory, "wrong.yaml"), SCENARIO.replace("count: 2", "count: 0"));
  assert.deepEqual(await runHere(["simulate", "wrong.yaml"], {}, directory), {
    code: 2,
    stdout: "",
    stderr:
      "wrong.yaml:3:17: nodes.count must be a whole number from 1 to 200, got 0\n\n" +
      "1 problem. docs/simulation.md explains every key.\n",
  });
});

test("a scenario that is not there is said, with the name that was meant", async () => {
  const { code, stderr } = await runHere(["simulate", "atacker"], {}, directory);
  assert.equal(code, 2);
  assert.equal(
    stderr,
    'the scenario "atacker" cannot be read: there is no such file; did you mean attacker?\n',
  );
  const nowhere = await runHere(["simulate", "somewhere.yaml"], {}, directory);
  assert.match(
    nowhere.stderr,
    /shipped are attacker, failover, gossip-partition, notifications, redis-killed, regions\n$/,
  );
});

test("replays a log that lies beside the scenario", async () => {
  mkdirSync(join(directory, "inner"));
  const text = SCENARIO.replace("{ rate: 100, keys: [a] }", "{ log: access.log }");
  writeFileSync(join(directory, "inner", "replay.yaml"), text);
  const line = '192.0.2.1 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n';
  writeFileSync(join(directory, "inner", "access.log"), `${line.repeat(200)}?\n`);
  const { code, stdout, stderr } = await runHere(["simulate", "inner/replay.yaml"], {}, directory);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Requests +200 +200\n/);
  assert.match(stderr, /^1 of 201 lines of "access.log" are left out, .*; line 201 is no line/);
});

test("without a scenario it says what to name", async () => {
  const { code, stderr } = await runHere(["simulate"]);
  assert.equal(code, 2);
  assert.match(stderr, /error: name a scenario, or --list/);
});

test("files that cannot be written are said before anything is simulated", async () => {
  const args = [
    "simulate",
    "two.yaml",
    "--csv",
    "not/there.csv",
    "--html",
    ".",
    "--json",
    "new.json",
  ];
  const { code, stdout, stderr } = await runHere(args, {}, directory);
  assert.deepEqual([code, stdout], [2, ""]);
  const folder = JSON.stringify(join(directory, "not"));
  assert.equal(
    stderr,
    `--csv "not/there.csv" cannot be written: there is no directory ${folder}\n` +
      '--html "." cannot be written: it is a directory, and must be a file\n',
  );
  assert.ok(!existsSync(join(directory, "new.json")), "nothing is left behind");
  const below = await runHere(["simulate", "two.yaml", "--csv", "two.yaml/a"], {}, directory);
  assert.equal(below.code, 2);
  assert.match(
    below.stderr,
    /^--csv "two\.yaml\/a" cannot be written: .*two\.yaml" is no directory\n$/,
  );
});

test("what cannot be written in the end is said, and the rest is written", async () => {
  const said: string[] = [];
  const stream = { write: (text: string) => said.push(text) };
  const context = {
    directory,
    environment: {},
    stdout: stream,
    stderr: stream,
  } as unknown as Context;
  const report = await simulate({
    name: "files",
    duration: "1s",
    nodes: { count: 1 },
    traffic: [{ rate: 1, keys: ["a"] }],
    configurations: { one: { limits: [tokenBucket({ capacity: 1, refill: "1/s" })] } },
  });
  const files = { json: "not/there.json", csv: "there.csv" };
  assert.equal(writeFiles(report, files, context), false);
  assert.match(said[0]!, /^--json "not\/there\.json" cannot be written: ENOENT/);
  assert.deepEqual(said.slice(1), ["  Written: there.csv\n"]);
  assert.equal(readFileSync(join(directory, "there.csv"), "utf8"), writeCsv(report));
});

test("a progress bar is for terminals, and leaves nothing behind", () => {
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  const silent = createProgressBar({ write });
  silent.show(0.5, "central");
  silent.clear();
  assert.equal(written.length, 0);
  const bar = createProgressBar({ write, isTTY: true, columns: 60 });
  bar.show(0.5, "central");
  bar.show(0.501, "central");
  bar.show(1, "a name that is too long for the line");
  bar.clear();
  assert.equal(written.length, 3);
  assert.match(written[0]!, /█{15}░{15} {2}50 % {2}central$/);
  assert.ok(written[1]!.length < 60 + "\r\u001b[2K".length);
  assert.equal(written[2], "\r\u001b[2K");
});
