import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const LOGGER = fileURLToPath(new URL("../../src/telemetry/logger.ts", import.meta.url));

test("lines are JSON on standard error, none below the level, none lost at an exit", async () => {
  const program = `
    const { createLogger } = await import(${JSON.stringify(LOGGER)});
    const logger = createLogger("warn");
    logger.info({}, "not this");
    logger.warn({ store: "unavailable", err: new Error("why") }, "the store does not answer");
    process.exit(0);
  `;
  const flags = ["--conditions=@tidegate/source", "--input-type=module", "--eval", program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, flags);
  assert.equal(stdout, "");
  const lines = stderr.trim().split("\n");
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0]!);
  assert.equal(line.level, "warn");
  assert.equal(line.store, "unavailable");
  assert.equal(line.err.message, "why");
  assert.equal(line.msg, "the store does not answer");
  assert.match(line.time, /^\d{4}-\d\d-\d\dT.*Z$/);
});
