// How the command says what it is, and what was typed wrong.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { execute, runHere } from "./support.ts";

const { version } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as { version: string };

test("--version prints the package's version", async () => {
  const expected = { code: 0, stdout: `${version}\n`, stderr: "" };
  assert.deepEqual(await execute(["--version"]), expected);
});

test("help lists every command and shows examples, with no command too", async () => {
  const help = await runHere(["--help"]);
  assert.equal(help.code, 0);
  for (const word of ["serve", "check", "config", "demo", "Examples:", "TIDEGATE_DEFAULT_POLICY"]) {
    assert.ok(help.stdout.includes(word), word);
  }
  assert.deepEqual(await runHere([]), help);
});

// Never 1, which `check` means a denial by.
const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["unknown command", ["chek"], /unknown command 'chek'\n\(Did you mean check\?\)/],
  ["unknown option", ["serve", "--prot", "1"], /unknown option '--prot'/],
  ["no key", ["check", "api"], /missing required argument 'key'/],
  ["too many arguments", ["check", "api", "a", "b"], /too many arguments/],
  ["cost", ["check", "api", "a", "--cost", "-1"], /It must be a whole number from 0 to 1000000000/],
  ["cost of a fraction", ["check", "api", "a", "--cost", "1.5"], /whole number from 0/],
  [
    "url",
    ["check", "api", "a", "--url", "localhost:8080"],
    /--url must be an address without user or password, such as http/,
  ],
  ["config alone", ["config"], /check <file>/],
  ["nodes", ["demo", "--nodes", "0"], /It must be a whole number from 1 to 50/],
  ["requests", ["demo", "--requests", "x"], /It must be a whole number from 1 to 100000/],
  ["capacity", ["demo", "--capacity", "0"], /It must be a whole number from 1 to 1000000/],
  [
    "refill",
    ["demo", "--refill", "10"],
    /^tidegate: --refill must be a rate such as "10\/s", .* got "10"\n$/,
  ],
  ["redis", ["demo", "--redis", "localhost"], /^tidegate: --redis must be redis:/],
  [
    "redis in memory",
    ["demo", "--redis", "memory"],
    /--redis must be the address of a Redis; leave it out/,
  ],
];

for (const [name, args, expected] of mistakes) {
  test(`a mistake ends with 2: ${name}`, async () => {
    const { code, stderr, stdout } = await runHere(args);
    assert.match(stderr, expected);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  });
}

test("an old Node is told which one is needed, before anything else is loaded", async () => {
  const pretend = "Object.defineProperty(process.versions, 'node', { value: '22.17.1' })";
  const outcome = await execute(["--version"], {
    nodeOptions: ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`],
  });
  assert.equal(outcome.code, 2);
  assert.match(
    outcome.stderr,
    /^tidegate needs Node\.js 22\.18 or later, and this is 22\.17\.1 \(/,
  );
});
