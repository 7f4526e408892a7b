// The most specific pattern wins, whatever else fits and in whatever order they were added.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyPatterns } from "../../src/policy/key-patterns.ts";
import { assertRefused } from "./spellings.ts";

/** Entries that are their patterns, so that what is found says which one it was. */
function patternsOf(patterns: readonly string[]): KeyPatterns<string> {
  const made = new KeyPatterns<string>();
  for (const pattern of patterns) made.add("overrides", pattern, pattern);
  return made;
}

const table: [patterns: string[], key: string, found: string | undefined][] = [
  [[], "a", undefined],
  [["a"], "a", "a"],
  [["a"], "A", undefined],
  [["a"], "ab", undefined],
  [["*"], "a", "*"],
  [["*"], "*", "*"],
  [["*"], "", "*"],
  [["a*"], "a", "a*"],
  [["a*"], "ab", "a*"],
  [["a*"], "ba", undefined],
  [["*a"], "a", "*a"],
  [["*a"], "ba", "*a"],
  [["*a"], "ab", undefined],
  [["a*c"], "ac", "a*c"],
  [["a*c"], "abc", "a*c"],
  [["a*c"], "a*c", "a*c"],
  [["a*c"], "abcd", undefined],
  [["a*c"], "a", undefined],
  // What is before and after shares no character.
  [["ab*ba"], "aba", undefined],
  [["ab*ba"], "abba", "ab*ba"],
  [["a*a"], "a", undefined],
  [["aa*aa"], "aaa", undefined],
  [["aa*aa", "a*a"], "aaa", "a*a"],
  // An exact key is more specific than any pattern.
  [["*", "abc*", "abc"], "abc", "abc"],
  [["abc", "ab*c"], "abc", "abc"],
  // Then the pattern with the most characters.
  [["*", "a*", "ab*", "abc*"], "abcd", "abc*"],
  [["*", "a*", "ab*", "abc*"], "abd", "ab*"],
  [["a*", "*bcd"], "abcd", "*bcd"],
  [["ab*", "a*cd"], "abcd", "a*cd"],
  // Of two with equally many, the one with the longer beginning.
  [["*ab", "a*b", "ab*"], "abab", "ab*"],
  [["*ab", "a*b"], "abab", "a*b"],
  [["*ab", "ab*"], "aab", "*ab"],
  [["tenant:*:read", "tenant:7:*"], "tenant:7:read", "tenant:*:read"],
  [["tenant:*:r", "tenant:7:*"], "tenant:7:r", "tenant:7:*"],
  // Nothing but * is special.
  [["a.c", "a?c", "[ab]*"], "abc", undefined],
  [["a.*"], "abc", undefined],
  [["💧*"], "💧x", "💧*"],
  [["__proto__", "constructor*"], "constructor", "constructor*"],
  [["constructor"], "__proto__", undefined],
  // Two patterns whose beginnings have the same hash.
  [["yaczf*", "glbpp*"], "yaczf:1", "yaczf*"],
  [["yaczf*", "glbpp*"], "glbpp:1", "glbpp*"],
  [["yaczf*"], "glbpp:1", undefined],
];

for (const [patterns, key, found] of table) {
  test(`${key || "nothing"} among ${patterns.join(" ") || "none"}`, () => {
    assert.equal(patternsOf(patterns).find(key), found);
    assert.equal(patternsOf(patterns.toReversed()).find(key), found);
  });
}

const long = "x".repeat(1_025);
const EXPECTED = "a key or pattern of 1 to 1024 characters";
const OTHER = "another key or pattern than those before it";
const wrong: [before: string[], pattern: unknown, message: string][] = [
  [[], "", `${EXPECTED}, got ""`],
  [[], long, `${EXPECTED}, got "${"x".repeat(77)}..."`],
  [[], undefined, `${EXPECTED}, got undefined`],
  [[], 7, `${EXPECTED}, got 7`],
  [[], "**", 'a key, or a pattern with one "*", got "**"'],
  [[], "a*b*c", 'a key, or a pattern with one "*", got "a*b*c"'],
  [["a"], "a", `${OTHER}, got "a"`],
  [["*"], "*", `${OTHER}, got "*"`],
  [["ab*", "a*b"], "a*b", `${OTHER}, got "a*b"`],
  [["yaczf*", "glbpp*"], "yaczf*", `${OTHER}, got "yaczf*"`],
];

for (const [before, pattern, message] of wrong) {
  test(`refuses: ${message}`, () => {
    const patterns = patternsOf(before);
    const add = () => patterns.add("overrides[3].key", pattern as string, "x");
    assertRefused(add, "overrides[3].key", `overrides[3].key must be ${message}`);
    assert.equal(patterns.size, before.length);
  });
}

test("the next less specific entry applies where one is not accepted", () => {
  const patterns = patternsOf(["*", "ab", "a*", "*b", "b*"]);
  assert.equal(patterns.size, 5);
  const asked: string[] = [];
  const found = patterns.find("ab", (entry) => {
    asked.push(entry);
    return entry === "*";
  });
  assert.equal(found, "*");
  assert.deepEqual(asked, ["ab", "a*", "*b", "*"]);
  assert.equal(
    patterns.find("ab", () => false),
    undefined,
  );
});

test("what is asked whether it accepts may look for another key", () => {
  const patterns = patternsOf(["abc*", "ab*", "zz*"]);
  const found = patterns.find("abcd", (entry) => {
    assert.equal(patterns.find("zzzz"), "zz*");
    return entry !== "abc*";
  });
  assert.equal(found, "ab*");
});

test("keys of 1,024 characters are found among patterns of every length", () => {
  const ones = "a".repeat(1_024);
  const patterns = patternsOf(
    Array.from({ length: 1_023 }, (_, length) => [
      `${ones.slice(0, length)}b*`,
      `*b${ones.slice(0, length)}`.slice(0, 1_024),
    ]).flat(),
  );
  assert.equal(patterns.size, 2_046);
  for (let times = 0; times < 100; times += 1) assert.equal(patterns.find(ones), undefined);
  assert.equal(patterns.find(`${ones.slice(1)}b`), "*b");
  assert.equal(patterns.find(`b${ones.slice(1)}`), "b*");
  assert.equal(patterns.find(`${ones.slice(24)}b${ones.slice(1_001)}`), `${ones.slice(24)}b*`);
});

test("a hundred thousand entries", () => {
  const patterns = new KeyPatterns<number>();
  for (let index = 0; index < 50_000; index += 1) {
    patterns.add("overrides", `user:${index}`, index);
    patterns.add("overrides", `tenant:${index}:*`, index);
  }
  assert.equal(patterns.size, 100_000);
  for (let index = 0; index < 50_000; index += 1) {
    assert.equal(patterns.find(`user:${index}`), index);
    assert.equal(patterns.find(`tenant:${index}:x`), index);
    assert.equal(patterns.find(`tenant:${index}`), undefined);
  }
});

/** Scans and sorts, by the definition. */
function findSlowly(patterns: readonly string[], key: string, accepted: ReadonlySet<string>) {
  const rankOf = (pattern: string) => {
    const star = pattern.indexOf("*");
    return star < 0 ? Number.POSITIVE_INFINITY : pattern.length * 10_000 + star;
  };
  const fitting = patterns.filter((pattern) => {
    if (!accepted.has(pattern)) return false;
    if (!pattern.includes("*")) return pattern === key;
    const [before = "", after = ""] = pattern.split("*");
    const roomy = key.length >= before.length + after.length;
    return roomy && key.startsWith(before) && key.endsWith(after);
  });
  return fitting.toSorted((a, b) => (rankOf(a) < rankOf(b) ? 1 : -1))[0];
}

test("finds what a scan finds", () => {
  const piece = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 4 }),
    fc.string({ unit: fc.constantFrom("a", "b", ":", "é", "💧"), maxLength: 8 }),
    fc.constantFrom("yaczf", "glbpp"),
  );
  const pattern = fc.oneof(
    piece.filter((text) => text !== ""),
    fc.tuple(piece, piece).map(([before, after]) => `${before}*${after}`),
  );
  const key = fc.oneof(
    piece,
    fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(pattern, fc.boolean()), {
        selector: ([text]) => text,
        maxLength: 40,
      }),
      fc.array(key, { minLength: 1, maxLength: 10 }),
      (written, keys) => {
        const all = written.map(([text]) => text);
        const accepted = new Set(written.filter(([, accept]) => accept).map(([text]) => text));
        const patterns = patternsOf(all);
        for (const text of keys) {
          assert.equal(patterns.find(text), findSlowly(all, text, new Set(all)));
          const found = patterns.find(text, (entry) => accepted.has(entry));
          assert.equal(found, findSlowly(all, text, accepted));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
