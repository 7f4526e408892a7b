// The documentation and the example file say what the code does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXAMPLE_POLICIES } from "../../src/config/default-configuration.ts";
import { VARIABLES } from "../../src/config/environment.ts";
import { accepted, load, POLICIES } from "./support.ts";

const documentation = readFileSync(
  new URL("../../../../docs/configuration.md", import.meta.url),
  "utf8",
);
const example = readFileSync(new URL("../../tidegate.example.yaml", import.meta.url), "utf8");
const blocks = [...documentation.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text!);

test("every example of docs/configuration.md is right", async () => {
  assert.ok(blocks.length >= 5, `found ${blocks.length}`);
  for (const block of blocks) {
    const loaded = await load(block);
    accepted(loaded);
    assert.deepEqual(loaded.warnings, []);
  }
});

test("tidegate.example.yaml and the last example are what is served without a file", async () => {
  const { coordination, ...configuration } = accepted(await load(example));
  assert.equal(coordination, "local");
  assert.deepEqual(configuration, accepted(await load(undefined)));
  assert.deepEqual(configuration.policies, EXAMPLE_POLICIES);
  assert.deepEqual(accepted(await load(blocks.at(-1))), { coordination, ...configuration });
});

test("what tidegate.example.yaml has in comments is right too", async () => {
  const commented = /^ {2}# calls:\n(?: {2}# {3}.*\n)+/m.exec(example)![0].replaceAll("  # ", "  ");
  const configuration = accepted(await load(`policies:\n${commented}defaultPolicy: calls\n`));
  assert.deepEqual(Object.keys(configuration.policies), ["calls"]);
  assert.match(example, /^# defaultPolicy: api$/m);
});

test("what tidegate.example.yaml has of leases in comments is what holds without it", async () => {
  const commented = /^ {2}# search:\n(?: {2}# {3}.*\n)+/m
    .exec(example)![0]
    .replaceAll("  # ", "  ");
  const { policies } = accepted(await load(`store: redis://h\npolicies:\n${commented}`));
  const { limits, coordination, ...settings } = policies.search!;
  assert.equal(coordination, "hybrid");
  assert.deepEqual(settings, { syncInterval: "100ms", leaseFraction: 0.25, maxOvershoot: 0 });
  for (const [setting, value] of Object.entries(settings)) {
    const row = documentation.split("\n").find((line) => line.startsWith(`| \`${setting}\` |`));
    assert.equal(row?.split(" | ")[1], `\`${value}\``, setting);
  }
});

test("what tidegate.example.yaml has of peers in comments is what gossip needs", async () => {
  const commented = /^# peers:\n(?:# {3}.*\n)+/m.exec(example)![0].replaceAll(/^# /gm, "");
  const { gossip } = accepted(await load(`coordination: gossip\n${commented}${POLICIES}`));
  assert.equal(gossip?.peers.members?.length, 3);
});

test("docs/configuration.md names every variable, and no other", () => {
  const named = new Set(documentation.match(/TIDEGATE_[A-Z_]*[A-Z]/g));
  assert.deepEqual([...named].sort(), ["TIDEGATE_CONFIG", ...Object.values(VARIABLES)].sort());
});
