// The page, the table and the CSV of a report: they say its figures, and nothing in a name gets out of its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucket } from "tidegate";
import { type Report, simulate } from "tidegate/simulation";
import { exitCode } from "../../src/cli/simulate.ts";
import { sayReport } from "../../src/cli/simulate-report.ts";
import { linesOf, placeNames, sayFault } from "../../src/simulation/fault-marks.ts";
import { createTicks } from "../../src/simulation/report-chart.ts";
import { writeCsv } from "../../src/simulation/report-csv.ts";
import { writePage } from "../../src/simulation/report-page.ts";
import { createRows } from "../../src/simulation/report-rows.ts";

const limits = [tokenBucket({ capacity: 10, refill: "10/s" })];
const HOSTILE = `<b>"hot" & 'cold'</b>`;

function run(): Promise<Report> {
  return simulate({
    name: HOSTILE,
    duration: "3s",
    nodes: { count: 2 },
    traffic: [
      { name: "one", rate: 50, keys: ["a"] },
      { name: HOSTILE, rate: 20, keys: ["b"] },
    ],
    configurations: {
      [HOSTILE]: { limits },
      local: { limits, coordination: "local" },
    },
    faults: [
      { fault: "store-refuses", at: "1s", for: "500ms" },
      { fault: "crash", at: "2s", for: "10ms", nodes: [2] },
      { fault: "clock-step", at: "2900ms", stepMs: 5 },
    ],
  });
}

test("the CSV has a line for each interval, and adds up", async () => {
  const report = await run();
  const [header, ...lines] = writeCsv(report).trimEnd().split("\r\n");
  assert.equal(
    header,
    "configuration,from_seconds,asked_units,admitted_units,ideal_units,messages,message_bytes,faults",
  );
  assert.equal(lines.length, 60);
  assert.ok(lines[0]!.startsWith(`"<b>""hot"" & 'cold'</b>",0,`));
  const local = lines.slice(30).map((line) => line.split(",").map(Number));
  const sum = (column: number) => local.reduce((total, line) => total + line[column]!, 0);
  const { units, admittedUnits, idealUnits } = report.configurations[1]!;
  assert.deepEqual([sum(2), sum(3), sum(4)], [units, admittedUnits, idealUnits]);
  const faultsAt = (line: number) => /"([^"]*)"$/.exec(lines[line]!)![1];
  const named = [9, 10, 14, 15, 20, 21, 28, 29].map(faultsAt);
  const [refuses, crash, step] = report.faults.map(sayFault);
  assert.deepEqual(named, ["", refuses, refuses, "", crash, "", "", step]);
});

test("the page is whole, needs nothing from elsewhere, and keeps names in their places", async () => {
  const report = await run();
  const page = writePage(report);
  assert.ok(page.startsWith("<!doctype html>") && page.endsWith("</html>\n"));
  assert.ok(!page.includes("<b>"), "names are escaped");
  assert.ok(!/<script|<link|<img|url\((?!#)|https?:/.test(page), "no resources");
  assert.match(page, /prefers-color-scheme: dark/);
  assert.equal(page.match(/<svg viewBox="0 0 960/g)!.length, 2);
  assert.equal(page.match(/<rect class="fault" x/g)!.length, 6);
  assert.match(page, /store refuses \(1 s to 1.5 s\); crash, node 2 \(2 s to 2.01 s\)/);
  assert.ok(!/NaN|Infinity|undefined|null/.test(page), "all that is drawn is known");
  assert.equal(page, writePage(report));
});

test("the table has a column for each configuration and what is rare only where it was", async () => {
  const report = await run();
  const rows = createRows(report);
  const labels = rows.map(({ label }) => label);
  assert.ok(labels.includes("Decided by fail-open") && labels.includes("Admitted ÷ ideal, one"));
  assert.ok(!labels.includes("Never answered"));
  for (const { values, label } of rows) assert.equal(values.length, 2, label);
  const said = sayReport(report, (_, text) => text);
  assert.match(said, /2 nodes, 3 s of traffic, seed 1/);
  assert.match(said, /2\.9 s: clock step, nodes 1, 2, \+5 ms/);
  assert.match(said, /Coordination +central +local\n/);
  const { requests } = report.configurations[0]!;
  assert.match(said, new RegExp(`Requests +${requests} +${requests}\n`));
});

test("figures say none as 0, and many by thousands", async () => {
  const report = await run();
  const [central, local] = report.configurations;
  const worstSecond = { second: 1, admittedUnits: 2_561, idealUnits: 0, over: 2_561 };
  const rows = createRows({ ...report, configurations: [{ ...central!, worstSecond }, local!] });
  const valuesOf = (label: string) => rows.find((row) => row.label === label)!.values;
  assert.match(valuesOf("Store calls per request")[0]!, /^0\.\d{3}$/);
  assert.equal(valuesOf("Store calls per request")[1], "0");
  assert.equal(valuesOf("Worst second over ideal")[0], "+256,000 % at 1 s");
});

test("a terminal that is too narrow for all configurations has a table for some after another", async () => {
  const report = await run();
  const say = (columns: number) => sayReport(report, (_, text) => text, columns).split("\n");
  const whole = say(Number.POSITIVE_INFINITY);
  const width = Math.max(...whole.map((line) => line.length));
  assert.deepEqual(say(width), whole);
  const narrow = say(width - 1);
  assert.ok(narrow.every((line) => line.length < width));
  const heads = narrow.filter((line) => line.startsWith(" ".repeat(20)));
  assert.deepEqual(
    heads.map((line) => line.trim()),
    [HOSTILE, "local"],
  );
  const requests = narrow.filter((line) => line.startsWith("  Requests "));
  assert.equal(requests.length, 2);
  assert.deepEqual(say(10), narrow, "one column is the least");
});

/** The same report, of which a check did not hold. */
function fail(report: Report): Report {
  const [first, ...others] = report.configurations;
  const verdict = { check: "bound", held: false, detail: "too <much>", atMs: 1_500 } as const;
  return { ...report, configurations: [{ ...first!, verdicts: [verdict] }, ...others] };
}

test("the table and the page say each check, and what did not hold", async () => {
  const report = await run();
  const say = (one: Report) => sayReport(one, (_, text) => text);
  assert.match(say(report), /Check: bound +held +held\n/);
  assert.ok(!say(report).includes("FAILED"));
  assert.match(
    writePage(report),
    /<span class="word held">held<\/span> <span>local, answers: 0 requests/,
  );
  assert.ok(!writePage(report).includes('class="word failed"'));
  const failed = fail(report);
  assert.match(say(failed), /Check: bound +FAILED at 1\.5 s +held\n/);
  assert.match(say(failed), /Check: answers +– +held\n/);
  assert.ok(say(failed).includes(`  FAILED ${HOSTILE}, bound: too <much>\n`));
  assert.match(
    writePage(failed),
    /<span class="word failed">failed<\/span> .*, bound: too &#60;much&#62;/,
  );
});

test("a check that did not hold is what the command exits with", async () => {
  const report = await run();
  assert.equal(exitCode(report), 0);
  assert.equal(exitCode(fail(report)), 1);
});

test("a scenario of which the ideal admits nothing is drawn", async () => {
  const report = await simulate({
    name: "nothing",
    duration: "1s",
    nodes: { count: 1 },
    traffic: [{ rate: 5, arrivals: "constant", cost: 50, keys: ["a"] }],
    configurations: { central: { limits } },
  });
  assert.equal(report.configurations[0]!.admittedOverIdeal, null);
  assert.ok(!/NaN|Infinity|undefined/.test(writePage(report)));
  assert.match(
    sayReport(report, (_, text) => text),
    /Admitted ÷ ideal +–/,
  );
});

for (const [most, count, ticks] of [
  [1, 4, [0, 0.5, 1]],
  [40, 10, [0, 5, 10, 15, 20, 25, 30, 35, 40]],
  [1_720, 4, [0, 500, 1_000, 1_500]],
  [0.3, 4, [0, 0.1, 0.2, 0.3]],
] as const) {
  test(`the ticks up to ${most}`, () => assert.deepEqual(createTicks(most, count), ticks));
}

test("what nodes tell each other is a line of the table and a column of the CSV", async () => {
  const report = await simulate({
    name: "gossip",
    duration: "2s",
    nodes: { count: 3 },
    traffic: [{ rate: 100, keys: ["a"] }],
    configurations: { central: { limits }, gossip: { limits, coordination: "gossip" } },
  });
  const [central, gossip] = report.configurations;
  assert.deepEqual(central!.messages, { sent: 0, sentBytes: 0, arrived: 0, arrivedBytes: 0 });
  const { sent, sentBytes } = gossip!.messages;
  const rowOf = (label: string) => createRows(report).find((row) => row.label === label)!.values;
  const number = (text: string) => Number(text.replaceAll(",", ""));
  assert.equal(rowOf("Messages per node per second")[0], "0");
  assert.ok(Math.abs(number(rowOf("Messages per node per second")[1]!) / (sent / 6) - 1) < 0.01);
  assert.ok(Math.abs(number(rowOf("Bytes per node per second")[1]!) / (sentBytes / 6) - 1) < 0.01);
  const lines = writeCsv(report)
    .trimEnd()
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(","));
  const sum = (column: number) => lines.reduce((total, line) => total + Number(line[column]), 0);
  assert.deepEqual([sum(5), sum(6)], [sent, sentBytes]);
  assert.ok(writePage(report).includes("Bytes per node per second"));
});

test("names of faults have room of their own, within the chart and in a few lines", () => {
  const faults = Array.from({ length: 40 }, (_, index) => {
    const fromMs = index < 30 ? 100 * index : 9_900 + index;
    return { fault: "partition", fromMs, untilMs: 10_000, nodes: [1, 3, 5, 7, index + 9] };
  });
  const long = Array.from({ length: 100 }, (_, index) => 2 * index);
  faults.push({ fault: "crash", fromMs: 0, untilMs: 1, nodes: long });
  const names = placeNames(faults, { left: 60, right: 960, x: (ms) => 60 + ms * 0.09 });
  assert.equal(names.length, faults.length);
  assert.equal(linesOf(names), 6);
  const shown = names.filter(({ line }) => line !== undefined);
  assert.ok(shown.length > 10 && shown.length < faults.length);
  for (const one of names) {
    assert.ok(one.x >= 60 && one.x + 7 * one.words.length <= 960, one.words);
    for (const other of shown) {
      if (one === other || one.line !== other.line || other.x < one.x) continue;
      assert.ok(other.x > one.x + 7 * one.words.length, `${one.words} at ${one.x}, ${other.x}`);
    }
  }
  assert.equal(placeNames(faults.slice(0, 1), { left: 60, right: 960, x: () => 60 })[0]!.line, 0);
});

test("what is asked for is in the chart, or the chart says how far it goes", async () => {
  const draw = async (rate: number) => {
    const page = writePage(
      await simulate({
        name: "asked",
        duration: "3s",
        nodes: { count: 1 },
        traffic: [{ rate, arrivals: "constant", keys: ["a"] }],
        configurations: { local: { limits, coordination: "local" } },
      }),
    );
    assert.match(page, />units\/s<\/text>/);
    return /<text[^>]*>(↑ [^<]*)</.exec(page)?.[1];
  };
  assert.equal(await draw(50), undefined);
  assert.equal(await draw(2_000), "↑ asked for: up to 2,000/s");
});

test("what a fault is about is said", async () => {
  const base = { name: "faults", duration: "6s", nodes: { regions: { eu: 1, us: 1 } } } as const;
  const { faults } = await simulate({
    ...base,
    traffic: [{ rate: 5, keys: ["a"] }],
    configurations: { central: { limits } },
    faults: [
      { fault: "store-refuses", at: "1s", for: "1s", forgets: true },
      { fault: "store-hangs", at: "3s", for: "1s" },
      { fault: "store-hangs", at: "4s", for: "1s", loses: "500ms" },
      { fault: "partition", at: "1s", for: "1s", nodes: [2], lost: "answers" },
      { fault: "network", at: "1s", for: "1s", loss: 0.5, betweenRegions: { latencyMs: 300 } },
      { fault: "clock-step", at: "5s", nodes: [1], stepMs: -20 },
    ],
  });
  assert.deepEqual(faults.map(sayFault), [
    "store refuses, comes back empty",
    "store hangs",
    "store hangs, fails over without its last 500 ms",
    "partition, store | node 2, answers",
    "network, loss 0.5, latencyMs 300 between regions",
    "clock step, node 1, -20 ms",
  ]);
});

test("a partition is said by its sides", () => {
  const times = { fault: "partition", fromMs: 0, untilMs: 1 };
  const nodes = [1, 2, 3, 5, 4];
  const sides = [[1, 2, 3, 5], [4]];
  assert.equal(
    sayFault({ ...times, nodes, sides, lost: "both" }),
    "partition, nodes 1 to 3, 5 | 4",
  );
  assert.match(sayFault({ ...times, nodes, sides, lost: "back" }), / \| 4, back$/);
  assert.equal(
    sayFault({ ...times, nodes, sides, storeSide: 2, lost: "both" }),
    "partition, nodes 1 to 3, 5 | 4 and store",
  );
});
