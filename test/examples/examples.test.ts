// The examples do what they say, each as a process of its own, as people start them.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";

interface Started {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly said: () => { readonly stdout: string; readonly stderr: string };
}

function start(context: TestContext, name: string, ...args: readonly string[]): Started {
  const file = fileURLToPath(new URL(`../../examples/src/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@tidegate/source", file, ...args]);
  context.after(() => child.kill("SIGKILL"));
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  }
  return { child, said: () => said };
}

/** Runs one to its end, and returns the lines that it said. */
async function run(context: TestContext, name: string): Promise<readonly string[]> {
  const { child, said } = start(context, name);
  const [code] = await once(child, "close");
  const { stdout, stderr } = said();
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trimEnd().split("\n");
}

test("gossip: three limiters in one process know of each other's units", async (context) => {
  assert.deepEqual(await run(context, "gossip"), [
    "a was asked three times; all know that 27 are left",
    "b was asked three times; all know that 24 are left",
    "c was asked three times; all know that 21 are left",
  ]);
});

test("simulation: a line for each configuration, and no promise that was not kept", async (context) => {
  const lines = await run(context, "simulation");
  const figures = lines.map((line) => {
    const found = /^(\w+) +admits (\d\.\d{3}) of .* asks Redis (\d\.\d\d) times/.exec(line);
    assert.ok(found !== null, line);
    return [found[1]!, Number(found[2]), Number(found[3])] as const;
  });
  assert.deepEqual(
    figures.map(([name]) => name),
    ["allow", "deny", "local", "hybrid"],
  );
  const [allow, deny, , hybrid] = figures;
  assert.ok(allow![1] > deny![1], "an open door costs more than a closed one");
  assert.ok(deny![1] > 1, "what the failover lost is admitted again");
  assert.ok(hybrid![2] < deny![2] / 2, "leases ask seldom");
});

test("express: answers with the limit that holds, and denies the fourth login", async (context) => {
  const { said } = start(context, "express", "0");
  const url = await eventually(() => {
    const found = /curl -i (http:\/\/127\.0\.0\.1:\d+)\/\n/.exec(said().stdout);
    assert.ok(found !== null, said().stderr);
    return found[1]!;
  });
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { hello: "world", remaining: 9 });
  const statuses: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const { status } = await fetch(`${url}/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ account: "ada" }),
    });
    statuses.push(status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429]);
});
