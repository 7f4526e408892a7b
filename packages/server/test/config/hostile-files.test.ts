// Files that are not text, or were made to exhaust whoever reads them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "./support.ts";

test("says where bytes are not UTF-8", () => {
  const bytes = Buffer.concat([
    Buffer.from("store: memory\nhost: b\u00fc"),
    Buffer.from([0xfc, 0x0a]),
  ]);
  assert.deepEqual(problemsOf(bytes), [
    "f.yaml:2:9: the file must be in UTF-8, but has bytes that are not: save it as UTF-8",
  ]);
});

test("recognizes UTF-16", () => {
  const bytes = Buffer.from("\ufeffstore: memory\n", "utf16le");
  assert.deepEqual(problemsOf(bytes), [
    "f.yaml:1:1: the file must be in UTF-8, but is UTF-16: save it as UTF-8",
  ]);
});

test("refuses a file that is too large without parsing it", () => {
  assert.deepEqual(problemsOf(new Uint8Array(1_048_577)), [
    "f.yaml:1:1: the file must have 1048576 bytes at most, got 1048577",
  ]);
});

test("refuses nesting without end", () => {
  for (const text of ["[".repeat(50_000), "- ".repeat(20_000), "{a: ".repeat(5_000)]) {
    const problems = problemsOf(text);
    assert.match(problems.join("\n"), /the file is nested too deeply/);
    assert.ok(problems.length <= 5, `${problems.length} problems`);
  }
});

test("aliases that would grow without bound are followed no further than the schema", () => {
  const levels = Array.from({ length: 30 }, (_, level) => {
    const inner = level === 0 ? "x" : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array(9).fill(inner).join(", ")}]`;
  });
  const problems = problemsOf(`${levels.join("\n")}\npolicies: { api: { limits: *a29 } }\n`);
  assert.equal(problems.length, 31, problems.join("\n"));
  assert.match(
    problems[30]!,
    /policies\.api\.limits must be a list of 1 to 8 limits .*, got 9 of them$/,
  );
});

test("an alias to what it stands in is refused, not followed", () => {
  const problems = problemsOf("policies: &p\n  api: *p\n");
  assert.match(
    problems.join("\n"),
    /unknown key policies\.api\.api; known are limits, coordination, nearLimit/,
  );
});

test("a hundred thousand keys are refused in good time", () => {
  const text = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join("\n");
  assert.equal(problemsOf(text).length, 100_001);
});

/** As many overrides as fit into a file, each as `write` writes it. */
const manyOverrides = (write: (index: number) => string) => {
  const lines = Array.from({ length: 10_000 }, (_, index) => `      - ${write(index)}\n`);
  const limits = "    limits:\n      - &l { algorithm: fixed-window, limit: 1, window: 1s }\n";
  return `policies:\n  api:\n${limits}    overrides:\n${lines.join("")}`;
};

test("ten thousand overrides are read, and where all are wrong, all are reported, in good time", () => {
  const right = [
    manyOverrides((index) => `{ key: "user:${index}", limits: [*l], until: 2027-01-01T00:00:00Z }`),
    manyOverrides((index) => `{ key: "user:${index}-*", unlimited: true }`),
    manyOverrides((index) => {
      return `{ key: "${index}", limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] }`;
    }),
  ];
  for (const text of right) assert.deepEqual(problemsOf(text), []);
  const wrong = problemsOf(manyOverrides((index) => `{ key: "a*${index}*", blocked: true }`));
  assert.equal(wrong.length, 10_000);
  assert.match(wrong[9_999]!, /^f\.yaml:10005:16: policies\.api\.overrides\[9999\]\.key must be/);
  const same = problemsOf(manyOverrides(() => "{ key: a, blocked: true }"));
  assert.equal(same.length, 9_999);
  assert.match(same[9_998]!, /overrides\[9999\]\.key "a" is written twice, first in line 6$/);
});
