// `tidegate config check`, as CI calls it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inDirectory } from "../config/support.ts";
import { execute, runHere } from "./support.ts";

const EXAMPLE = fileURLToPath(new URL("../../tidegate.example.yaml", import.meta.url));

test("a right file ends with 0 and says what would be served", async () => {
  assert.deepEqual(await execute(["config", "check", EXAMPLE]), {
    code: 0,
    stdout: `${EXAMPLE} is right. \`tidegate serve --config ${EXAMPLE}\` would serve:

  Listens   127.0.0.1, ports 8080 (HTTP), 8081 (gRPC), 8082 (metrics)
  Store     memory (this process alone; gone when it ends)
  Policies  api    100 at once, refilled at 10/s; 1,000 per 1m
            login  5 at once, refilled at 5/m
            jobs   3 at once, each held 30s at most
`,
    stderr: "",
  });
});

test("a wrong file ends with 2 and says everything that is wrong", async () => {
  const text = "store: redis://:hunter2@h:x\npolicies: { api: { limits: [5] } }\nhots: a\n";
  await inDirectory({ "bad.yaml": text }, async (directory) => {
    const outcome = await execute(["config", "check", "bad.yaml"], { directory });
    assert.deepEqual(outcome, {
      code: 2,
      stdout: "",
      stderr: `bad.yaml:1:8: store must be a Redis address such as redis://host:6379, \
rediss://user:password@host:6379/0, redis+cluster://host1:7000,host2:7000 or \
redis+sentinel://host1:26379,host2:26379/master-name, got "redis://***@h:x"
bad.yaml:2:29: policies.api.limits[0] must be a map such as \
{ algorithm: token-bucket, capacity: 100, refill: 10/s }, got 5
bad.yaml:3:1: unknown key hots; did you mean host?

3 problems. docs/configuration.md explains every key and variable.
`,
    });
  });
});

test("variables are applied, said, and their slips warned about", async () => {
  const environment = {
    TIDEGATE_STORE: "rediss://:hunter2@redis.internal/1",
    TIDEGATE_COORDINATION: "central",
    TIDEGATE_LOGLEVEL: "debug",
  };
  const { code, stdout, stderr } = await runHere(["config", "check", EXAMPLE], environment);
  assert.equal(code, 0);
  assert.match(stdout, /Store {5}rediss:\/\/\*\*\*@redis\.internal\/1\n/);
  assert.match(stdout, /Set by {4}TIDEGATE_STORE, TIDEGATE_COORDINATION\n$/);
  assert.equal(
    stderr,
    "warning: TIDEGATE_LOGLEVEL is not read; did you mean TIDEGATE_LOG_LEVEL?\n",
  );
});

test("a policy's own coordination is said, and by how much it may go over", async () => {
  const limits = "limits: [{ algorithm: fixed-window, limit: 10, window: 1m }]";
  const text =
    `store: redis://h\npolicies:\n  api: { ${limits} }\n  node: { coordination: local, ${limits} }\n` +
    `  hot: { coordination: hybrid, maxOvershoot: 0.005, ${limits} }\n`;
  await inDirectory({ "own.yaml": text }, async (directory) => {
    const { stdout } = await runHere(["config", "check", `${directory}/own.yaml`]);
    assert.match(stdout, /api {3}10 per 1m\n +node {2}10 per 1m \(local\)\n/);
    assert.match(stdout, /hot {3}10 per 1m \(hybrid, up to 0\.5 % over\)\n/);
  });
});

test("a missing file ends with 2", async () => {
  const { code, stderr } = await runHere(["config", "check", "no.yaml"]);
  assert.equal(code, 2);
  assert.match(stderr, /^the file "no\.yaml" cannot be read: there is no such file\n\n1 problem\./);
});

test("what gossips says how, and shows no secret", async () => {
  const text = `coordination: gossip
region: eu
host: 0.0.0.0
peers: { members: [a, b, c, d, e, f], secret: hunter2-hunter2-hunter2 }
policies: { api: { limits: [{ algorithm: fixed-window, limit: 5, window: 1s }] } }
`;
  await inDirectory({ "tidegate.yaml": text }, async (directory) => {
    const outcome = await runHere(["config", "check", "tidegate.yaml"], {}, directory);
    assert.deepEqual([outcome.code, outcome.stderr], [0, ""]);
    assert.equal(
      outcome.stdout,
      `tidegate.yaml is right. \`tidegate serve --config tidegate.yaml\` would serve:

  Listens   0.0.0.0, ports 8080 (HTTP), 8081 (gRPC), 8082 (metrics)
  Store     memory (each node's own; nodes tell each other what they count)
  Peers     0.0.0.0:8083, gRPC, signed
            a:8083, b:8083, c:8083, d:8083, e:8083 and 1 more
  Region    eu
  Policies  api  5 per 1s
`,
    );
  });
  const through = text.replace(
    /peers: .*/,
    "peers: { transport: redis, redis: 'redis://:hunter2@h' }",
  );
  await inDirectory({ "tidegate.yaml": through }, async (directory) => {
    const environment = { TIDEGATE_PEERS_SECRET: "hunter2-hunter2-hunter2" };
    const args = ["config", "check", "tidegate.yaml"];
    const { stdout } = await runHere(args, environment, directory);
    assert.match(
      stdout,
      /Peers {5}through redis:\/\/\*\*\*@h, signed\n +those that redis:\/\/\*\*\*@h knows\n/,
    );
    assert.ok(!stdout.includes("hunter2"));
  });
});
