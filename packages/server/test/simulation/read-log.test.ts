// Logs of each format: what is read of them, what is left out, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { LogFormat } from "../../src/simulation/log-lines.ts";
import { parseInstant } from "../../src/simulation/parse-instant.ts";
import { type LogFields, readLog } from "../../src/simulation/read-log.ts";

const COMBINED = `192.0.2.1 - - [31/Jan/2026:12:00:00 +0100] "GET /a?x=1 HTTP/1.1" 200 512 "-" "agent \\"x\\""
192.0.2.2 - jane doe [31/Jan/2026:12:00:00 +0100] "POST /b HTTP/1.1" 201 - "https://example.org/" "-"

2001:db8::1 - - [31/Jan/2026:11:00:02 +0000] "-" 400 0
`;
const ACCESS: LogFields = { time: "time", key: "address" };

function read(text: string, format: LogFormat, fields: LogFields = { time: "time", key: "key" }) {
  const log = readLog(new TextEncoder().encode(text), format, fields);
  assert.ok("requests" in log, JSON.stringify(log));
  return log;
}

const tuples = (log: ReturnType<typeof read>) => {
  return log.requests.map(({ atMs, key, cost }) => [atMs, key, cost]);
};

test("an access log: whole seconds are spread, offsets are minded, empty lines are nothing", () => {
  for (const format of ["combined", "common"] as const) {
    const log = read(COMBINED, format, ACCESS);
    assert.deepEqual(tuples(log), [
      [0, "192.0.2.1", 1],
      [500, "192.0.2.2", 1],
      [2_000, "2001:db8::1", 1],
    ]);
    assert.deepEqual([log.lines, log.unreadable], [3, 0]);
  }
});

test("an access log: other fields are keys and costs, the path without its query", () => {
  const [first, second] = COMBINED.split("\n");
  const keysOf = (text: string, key: string) => {
    return tuples(read(text, "combined", { time: "time", key })).map(([, found]) => found);
  };
  assert.deepEqual(keysOf(`${first}\n${second}`, "path"), ["/a", "/b"]);
  assert.deepEqual(keysOf(second!, "user"), ["jane doe"]);
  assert.deepEqual(keysOf(`${first}\n${second}`, "method"), ["GET", "POST"]);
  const costs = read(`${first}\n${second}`, "combined", { ...ACCESS, cost: "bytes" });
  assert.deepEqual(
    costs.requests.map(({ cost }) => cost),
    [512, 1],
  );
});

test("lines of JSON: fields within fields, costs, and times in any order", () => {
  const lines = [
    { ts: "2026-01-31T12:00:01.250Z", user: { id: 7 }, tokens: 30 },
    { ts: "2026-01-31T12:00:00.750Z", user: { id: "b" } },
    { ts: 1_769_860_801_500, user: { id: "b" }, tokens: "4" },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  const log = read(text, "json", { time: "ts", key: "user.id", cost: "tokens" });
  assert.deepEqual(tuples(log), [
    [0, "b", 1],
    [500, "7", 30],
    [750, "b", 4],
  ]);
});

test("CSV: a header, quotes, and Windows' line ends", () => {
  const text = 'key,time,note\r\n"a, ""b""",1.5,x\r\nc,2,"y"\r\n';
  assert.deepEqual(tuples(read(text, "csv")), [
    [0, 'a, "b"', 1],
    [500, "c", 1],
  ]);
});

test("a log that is packed is unpacked, and one that is no UTF-8 is read all the same", () => {
  const packed = readLog(gzipSync(COMBINED), "combined", ACCESS);
  assert.ok("requests" in packed && packed.requests.length === 3);
  const latin1 = Buffer.from(
    'a - M\u00fcller [31/Jan/2026:12:00:00 +0000] "GET / H" 200 1',
    "latin1",
  );
  const log = readLog(latin1, "common", { time: "time", key: "user" });
  assert.ok("requests" in log);
  assert.equal(log.requests[0]!.key, "M\u00fcller");
  const broken = readLog(Uint8Array.of(0x1f, 0x8b, 1, 2), "common", ACCESS);
  assert.match("wrong" in broken ? broken.wrong : "", /^must be a text of at most .* by gzip$/);
});

test("a few lines that cannot be read are counted, more are refused, with the line", () => {
  const good = (count: number) => '{"time":1,"key":"a"}\n'.repeat(count);
  const log = read(`${good(100)}nonsense\n${good(100)}`, "json");
  assert.deepEqual([log.lines, log.unreadable, log.requests.length], [201, 1, 200]);
  assert.equal(log.firstUnreadable, "line 101 is no line of format json");
  const wrongs: readonly (readonly [string, RegExp])[] = [
    [
      `${good(50)}nonsense\n`,
      /^has 1 of 51 lines that cannot be read, more than 1 %; line 51 is no/,
    ],
    ['\n{"time":"soon","key":"a"}', /line 2 has no time in "time" such as .*, got "soon"$/],
    ['{"time":1}', /line 1 has no key of 1 to 1024 letters in "key", got nothing$/],
    [`{"time":1,"key":"${"x".repeat(1_025)}"}`, /line 1 has no key/],
    ['{"time":1,"key":"a","cost":1.5}', /line 1 has no whole number of units in "cost", got 1.5$/],
    ['{"time":1,"key":"a","cost":"1e999"}', /line 1 has no whole number of units/],
    ['{"__proto__":{"key":"a"},"time":1}', /line 1 has no key/],
    ["[]", /line 1 is no line of format json$/],
    ["", /^has no requests$/],
  ];
  for (const [text, expected] of wrongs) {
    const fields = { time: "time", key: "key", cost: "cost" };
    const wrong = readLog(new TextEncoder().encode(text), "json", fields);
    assert.match("wrong" in wrong ? wrong.wrong : "nothing", expected);
  }
  for (const text of ['time,key\n1,"a', "time,key\n1", "time,key\n1,a,b"]) {
    const wrong = readLog(new TextEncoder().encode(text), "csv", { time: "time", key: "key" });
    assert.match("wrong" in wrong ? wrong.wrong : "nothing", /line 2 is no line of format csv$/);
  }
});

const NOON_MS = 1_769_860_800_000;
for (const [written, ms] of [
  ["2026-01-31T12:00:00Z", NOON_MS],
  ["2026-01-31 13:00:00.25+01:00", NOON_MS + 250],
  ["2026-01-31T12:00", NOON_MS],
  ["2026-01-31T06:30:00,5-0530", NOON_MS + 500],
  ["31/Jan/2026:12:00:00 +0000", NOON_MS],
  ["29/Feb/2024:00:00:00 +0000", 1_709_164_800_000],
  ["1970-01-01T00:00:00Z", 0],
  [NOON_MS, NOON_MS],
  [NOON_MS / 1_000, NOON_MS],
  [`${NOON_MS}000`, NOON_MS],
  ["1769860800.5", NOON_MS + 500],
  [1.7698608e18, NOON_MS],
  ["2026-13-01T00:00:00Z", undefined],
  ["31/Foo/2026:12:00:00 +0000", undefined],
  ["yesterday", undefined],
  [-1, undefined],
  [Number.NaN, undefined],
  [null, undefined],
] as const) {
  test(`the instant ${JSON.stringify(written)}`, () => assert.equal(parseInstant(written), ms));
}
