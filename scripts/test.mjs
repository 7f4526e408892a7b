// `npm test`: installs what is missing, then types, lint, and every test. With arguments (files, or options of Node's
// test runner) only those tests run. The test runner's summary is the last thing printed.

import { spawn } from "node:child_process";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { whenOrphaned } from "./shared/orphaned.mjs";
import { ensurePackages, root } from "./shared/packages.mjs";
import { pinnedNode, SOURCE_CONDITION } from "./shared/pinned-node.mjs";
import { ensureRedisServer } from "./shared/redis-server.mjs";
import { testRunnerArguments } from "./shared/test-arguments.mjs";

ensurePackages();
const node = pinnedNode();
const env = { ...process.env, ...redisEnvironment() };
// Set by a test runner around this one, where there is one; Node's own would then report to that and not here.
delete env.NODE_TEST_CONTEXT;

let running;
whenOrphaned(() => {
  running?.kill("SIGTERM");
  process.exit(143);
});

const given = process.argv.slice(2);
let failed = false;
if (given.length === 0) {
  failed = !(await step("Types (tsc)", "typescript/bin/tsc", ["-p", "tsconfig.json"])) || failed;
  failed =
    !(await step("Lint and format (biome)", "@biomejs/biome/bin/biome", ["check", "."])) || failed;
  if (failed)
    console.log("The checks above failed, and so will this run; the tests run all the same.");
}
const parallel = Math.min(Math.max(availableParallelism(), 2), 4);
const status = await run([
  SOURCE_CONDITION,
  // Node's module.stripTypeScriptTypes, which test/tidy uses.
  "--disable-warning=ExperimentalWarning",
  "--test",
  `--test-concurrency=${parallel}`,
  "--test-reporter=spec",
  // A test that waits for what never comes, or leaves it running, ends the run and not the patience of whoever waits.
  "--test-timeout=300000",
  ...testRunnerArguments(given),
]);
process.exit(status !== 0 ? status : failed ? 1 : 0);

function redisEnvironment() {
  if (process.env.TIDEGATE_TEST_WITHOUT_REDIS === "1") {
    console.log("TIDEGATE_TEST_WITHOUT_REDIS=1: the tests that need redis-server are skipped.");
    return {};
  }
  const server = ensureRedisServer();
  if (server === undefined) process.exit(1);
  return { TIDEGATE_REDIS_SERVER: server };
}

async function step(title, bin, args) {
  console.log(title);
  return (await run([join(root, "node_modules", bin), ...args])) === 0;
}

/** Runs the pinned Node in the repository; resolves with its exit code. A signal to this script goes to it as well. */
function run(args) {
  return new Promise((resolve) => {
    const child = spawn(node, args, { cwd: root, env, stdio: "inherit" });
    running = child;
    const forward = (signal) => child.kill(signal);
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, forward);
    child.on("error", (error) => {
      console.error(`${node} could not be run: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      if (signal !== null) process.exit(128 + constants.signals[signal]);
      resolve(code);
    });
  });
}
