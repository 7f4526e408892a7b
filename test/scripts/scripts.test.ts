// What npm start and npm test do before and around what they run: installs, arguments, signals.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";

const scripts = new URL("../../scripts/", import.meta.url);
const load = (name: string) => import(new URL(name, scripts).href);
const { isInstalled } = await load("shared/packages.mjs");
const { isNewEnough } = await load("shared/pinned-node.mjs");
const { testRunnerArguments } = await load("shared/test-arguments.mjs");
const { findOnPath } = await load("shared/redis-server.mjs");

const temporary = mkdtempSync(join(tmpdir(), "tidegate-scripts-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

function write(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(content));
}

describe("an install is complete", () => {
  const a = { version: "1.0.0", integrity: "sha512-a" };
  const other = { version: "1.0.0", integrity: "sha512-b", optional: true };
  const wanted = { "": {}, "node_modules/a": a, "node_modules/other-platform": other };
  const rows: readonly (readonly [string, object | undefined, readonly string[], boolean])[] = [
    ["never installed", undefined, [], false],
    ["interrupted: packages, but no record of npm's", undefined, ["node_modules/a"], false],
    ["all there but an optional one", { "node_modules/a": a }, ["node_modules/a"], true],
    ["one lacks", {}, ["node_modules/a"], false],
    [
      "another version",
      { "node_modules/a": { ...a, version: "1.0.1" } },
      ["node_modules/a"],
      false,
    ],
    [
      "another content",
      { "node_modules/a": { ...a, integrity: "sha512-c" } },
      ["node_modules/a"],
      false,
    ],
    ["recorded, then deleted", { "node_modules/a": a }, [], false],
    [
      "another content of an optional one",
      { "node_modules/a": a, "node_modules/other-platform": a },
      [],
      false,
    ],
  ];
  for (const [index, [name, recorded, present, complete]] of rows.entries()) {
    test(name, () => {
      const directory = join(temporary, `install-${index}`);
      write(join(directory, "package-lock.json"), { packages: wanted });
      if (recorded)
        write(join(directory, "node_modules", ".package-lock.json"), { packages: recorded });
      for (const path of present) write(join(directory, path, "package.json"), {});
      assert.equal(isInstalled(directory), complete);
    });
  }
});

test("Node is new enough from 22.18 on", () => {
  const versions = ["18.20.0", "20.19.0", "22.17.9", "22.18.0", "23.0.0", "24.21.0"];
  assert.deepEqual(versions.filter(isNewEnough), ["22.18.0", "23.0.0", "24.21.0"]);
});

test("arguments of npm test become options first, then files, or all tests", () => {
  const all = ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"];
  assert.deepEqual(testRunnerArguments([]), all);
  assert.deepEqual(testRunnerArguments(["a.test.ts", "--test-only"]), ["--test-only", "a.test.ts"]);
  assert.deepEqual(testRunnerArguments(["--test-name-pattern", "a b"]), [
    "--test-name-pattern=a b",
    ...all,
  ]);
  assert.deepEqual(testRunnerArguments(["--test-name-pattern=a", "b.test.ts"]), [
    "--test-name-pattern=a",
    "b.test.ts",
  ]);
});

test("programs are found on the PATH, as files that may run", () => {
  const directory = dirname(process.execPath);
  mkdirSync(join(temporary, "node"));
  assert.equal(findOnPath("node", `${temporary}:${directory}`), join(directory, "node"));
  assert.equal(findOnPath("no-such-program", directory), undefined);
});

test("the benchmarks take the redis-server that is on the PATH", async () => {
  const directory = join(temporary, "redis");
  mkdirSync(directory);
  const version = '#!/bin/sh\necho "Redis server v=98.7.6 sha=00000000:0 bits=64"\n';
  writeFileSync(join(directory, "redis-server"), version, { mode: 0o755 });
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
  delete env.TIDEGATE_REDIS_SERVER;
  const script = fileURLToPath(new URL("bench.mjs", scripts));
  const child = spawn(process.execPath, [script, "memory", "--quick"], {
    cwd: temporary,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  await eventually(() => assert.match(output, /^Node v.*, Redis 98\.7\.6, /));
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [143, null], "the signal has reached what it ran");
});

describe("npm start", () => {
  async function start(): Promise<{ child: ChildProcess; output: () => string }> {
    const ports = { TIDEGATE_HTTP_PORT: "0", TIDEGATE_GRPC_PORT: "0", TIDEGATE_ADMIN_PORT: "0" };
    const env: NodeJS.ProcessEnv = { ...process.env, ...ports };
    // As if by hand: under npm the script also watches for npm's end.
    delete env.npm_lifecycle_event;
    const script = fileURLToPath(new URL("start.mjs", scripts));
    const child = spawn(process.execPath, [script], {
      cwd: temporary,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => (output += data));
    await eventually(() => assert.match(output, /"msg":"started"/));
    return { child, output: () => output };
  }

  for (const signals of [["SIGTERM"], ["SIGINT"], ["SIGINT", "SIGINT"]] as const) {
    test(`${signals.join(" and its echo, ")}: the service drains and the script exits with 0`, async () => {
      const { child, output } = await start();
      for (const signal of signals) child.kill(signal);
      const [code] = await once(child, "close");
      assert.equal(code, 0, output());
      assert.match(output(), /"clean":true,"msg":"stopped"/);
    });
  }

  test("a script that is killed leaves no service behind", async () => {
    const { child, output } = await start();
    child.kill("SIGKILL");
    await eventually(() => assert.match(output(), /"clean":true,"msg":"stopped"/));
  });
});
