// What the benchmarks say of their measurements: ratios within rounds, columns beside them, and which library a
// checkout leads to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { doorOf } from "../../bench/src/against/checkout.ts";
import { sectionToMarkdown } from "../../bench/src/report/markdown.ts";
import { replaceTables } from "../../bench/src/report/page.ts";
import { judge, type Measurement } from "../../bench/src/report/section.ts";
import { wrapProse } from "../../bench/src/report/wrap.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function row(contender: string, values: number[], commands: number, bytes: number): Measurement {
  const columns = [
    { title: "commands", unit: "commands", value: commands },
    { title: "a key", unit: "bytes", value: bytes },
  ] as const;
  return { contender, unit: "per second", values, columns };
}

test("a row's columns stand beside its values, with their ratio to the comparator's", () => {
  const markdown = sectionToMarkdown({
    title: "Some",
    how: "Somehow.",
    measurements: [row("one", [100, 200, 300], 2, 1_000), row("other", [50, 400, 150], 5, 1_500)],
    comparator: "one",
    goals: [],
  });
  const rows = markdown
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(rows[0]?.slice(3, 6), ["ratio to one", "commands", "a key"]);
  assert.deepEqual(rows[2]?.slice(3, 6), ["1.00 ×", "2.00, 1.00 ×", "1,000 bytes, 1.00 ×"]);
  assert.deepEqual(rows[3]?.slice(3, 6), ["0.50 ×", "5.00, 2.50 ×", "1,500 bytes, 1.50 ×"]);
});

test("a goal may be of a column, alone or beside another contender's", () => {
  const section = {
    ...{ title: "Some", how: "Somehow.", valuesTitle: "each" },
    measurements: [row("one", [100], 2, 1_000), row("other", [50], 5, 1_500)],
    goals: [
      { contender: "other", column: "commands", atMost: 5 },
      { contender: "other", column: "commands", against: "one", atMost: 2 },
      { contender: "other", atLeast: 50 },
    ],
  };
  const verdicts = judge(section).map(({ value, unit, met }) => [value, unit, met]);
  assert.deepEqual(verdicts, [
    [5, "commands", true],
    [2.5, "ratio", false],
    [50, "per second", true],
  ]);
  const markdown = sectionToMarkdown(section, "###");
  assert.match(markdown, /^### Some\n/);
  assert.match(markdown, /\| contender \| each /);
  assert.match(markdown, /\| other, commands ≤ 2.00 × one +\| 2.50 +\| \*\*missed\*\* +\|/);
  const unknown = { ...section, goals: [{ contender: "one", column: "none", atMost: 1 }] };
  assert.throws(() => judge(unknown), /has no column "none"/);
});

test("a page keeps what is written by hand, and has the tables of the last run", () => {
  const place = (tables: string) => {
    return `Before.\n\n<!-- tables: npm run bench -- some -->\n\n${tables}<!-- end of the tables -->\n\nAfter.\n`;
  };
  const once = replaceTables(place(""), "some", "Table 1.");
  assert.equal(once, place("Table 1.\n\n"));
  assert.equal(replaceTables(once, "some", "Table 2."), place("Table 2.\n\n"));
  assert.throws(() => replaceTables(once, "other", "Table."), /has no place/);
});

test("prose is wrapped between words, and nothing else is", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["one two three", "one two\nthree"],
    ["one two", "one two"],
    ["- one two three four", "- one two\n  three\n  four"],
    ["12. one two three", "12. one\n    two\n    three"],
    ["one `two three` four", "one\n`two three`\nfour"],
    ["endless-word one", "endless-word\none"],
    ["one more - two", "one more -\ntwo"],
    ["one to do 2. two", "one to do 2.\ntwo"],
    ["# one two three", "# one two three"],
    ["| one two | three |", "| one two | three |"],
    ["```\none two three\n```\none two three", "```\none two three\n```\none two\nthree"],
  ];
  for (const [given, wrapped] of rows) {
    assert.equal(wrapProse(given, 9), wrapped);
    assert.equal(wrapProse(wrapped, 9), wrapped, "and once is enough");
  }
});

test("a checkout's doors are found in its sources, by its package.json", async () => {
  for (const door of [".", "./redis"]) {
    const url = doorOf(ROOT, door);
    assert.equal(url, import.meta.resolve(`tidegate${door.slice(1)}`));
  }
  assert.throws(() => doorOf(ROOT, "./none"), /has no door "\.\/none"/);
  assert.throws(() => doorOf(`${ROOT}/test`, "."), { code: "ENOENT" });
});
