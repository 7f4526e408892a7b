// What wins over what: the command line, the variables, the file, the defaults.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXAMPLE_POLICIES } from "../../src/config/default-configuration.ts";
import type { Environment } from "../../src/config/environment.ts";
import { loadConfiguration } from "../../src/config/load-configuration.ts";
import type { Configuration } from "../../src/configuration.ts";
import { accepted, inDirectory, load, POLICIES, refused } from "./support.ts";

const FULL = `
store: redis://127.0.0.1:6379
coordination: central
host: 0.0.0.0
defaultPolicy: api
expectedNodes: 3
ports: { http: 1, grpc: 2, admin: 3 }
log: { level: debug }
drain: { timeout: 1m }
${POLICIES}`;

test("without a file, the example policies are served from memory", async () => {
  const loaded = await load(undefined);
  assert.deepEqual(accepted(loaded), {
    host: "127.0.0.1",
    httpPort: 8080,
    grpcPort: 8081,
    adminPort: 8082,
    store: "memory",
    logLevel: "info",
    drainTimeoutMs: 10_000,
    policies: EXAMPLE_POLICIES,
  });
  assert.ok("file" in loaded && loaded.file === undefined);
});

test("a file sets everything", async () => {
  const { policies, ...settings } = accepted(await load(FULL));
  assert.deepEqual(settings, {
    store: "redis://127.0.0.1:6379",
    coordination: "central",
    defaultPolicy: "api",
    expectedNodes: 3,
    host: "0.0.0.0",
    httpPort: 1,
    grpcPort: 2,
    adminPort: 3,
    logLevel: "debug",
    drainTimeoutMs: 60_000,
  });
  assert.deepEqual(Object.keys(policies), ["api"]);
});

test("a file of policies alone leaves the rest to the defaults", async () => {
  const { policies, ...settings } = accepted(await load(POLICIES));
  const { policies: _, ...defaults } = accepted(await load(undefined));
  assert.deepEqual(settings, defaults);
  assert.equal(policies.api?.limits.length, 1);
});

test("aliases, JSON and quoted values are YAML as any other", async () => {
  const shared = await load(
    "policies:\n  a: &a { limits: [&l { algorithm: fixed-window, limit: 5, window: 1m }] }\n" +
      "  b: *a\n  c: { limits: [*l] }\n",
  );
  const { a, b, c } = accepted(shared).policies;
  assert.deepEqual(b, a);
  assert.deepEqual(c, a);
  const json = {
    policies: { a: { limits: [{ algorithm: "fixed-window", limit: 5, window: "1m" }] } },
  };
  assert.deepEqual(accepted(await load(JSON.stringify(json))).policies.a, a);
  const numbered = accepted(
    await load("policies: { 1: { limits: [{ algorithm: fixed-window, limit: 5, window: 1m }] } }"),
  );
  assert.deepEqual(Object.keys(numbered.policies), ["1"]);
});

test("a policy may be called constructor", async () => {
  const loaded = accepted(await load(POLICIES.replace("api", "constructor")));
  assert.deepEqual(Object.keys(loaded.policies), ["constructor"]);
});

test("every store there is", async () => {
  const stores = [
    "memory",
    "redis://127.0.0.1:6379",
    "rediss://user:p%40ss@host:6379/2",
    "redis://[::1]:6379",
    "redis+cluster://a:7000,b:7000",
    "rediss+cluster://:secret@a:7000,b:7000",
    "redis+sentinel://a:26379,b:26379/main",
    "rediss+sentinel://a,b/main/3",
  ];
  for (const store of stores) {
    assert.equal(accepted(await load(`${POLICIES}store: "${store}"\n`)).store, store);
  }
});

const overrides: readonly (readonly [string, string, Partial<Configuration>])[] = [
  ["TIDEGATE_STORE", "redis://other:6380", { store: "redis://other:6380" }],
  ["TIDEGATE_STORE", " redis://other:6380 ", { store: "redis://other:6380" }],
  ["TIDEGATE_COORDINATION", "central", { coordination: "central" }],
  ["TIDEGATE_COORDINATION", "hybrid", { coordination: "hybrid" }],
  ["TIDEGATE_DEFAULT_POLICY", "api", { defaultPolicy: "api" }],
  ["TIDEGATE_EXPECTED_NODES", "20", { expectedNodes: 20 }],
  ["TIDEGATE_HOST", "::", { host: "::" }],
  ["TIDEGATE_HTTP_PORT", "9001", { httpPort: 9001 }],
  ["TIDEGATE_GRPC_PORT", "9002", { grpcPort: 9002 }],
  ["TIDEGATE_ADMIN_PORT", "0", { adminPort: 0 }],
  ["TIDEGATE_LOG_LEVEL", "silent", { logLevel: "silent" }],
  ["TIDEGATE_DRAIN_TIMEOUT", "500ms", { drainTimeoutMs: 500 }],
];

for (const [variable, text, expected] of overrides) {
  test(`${variable}="${text}" wins over the file`, async () => {
    const before = accepted(await load(FULL));
    const loaded = await load(FULL, { [variable]: text });
    assert.deepEqual(accepted(loaded), { ...before, ...expected });
    assert.deepEqual("variables" in loaded && loaded.variables, [variable]);
    const empty = accepted(await load(FULL, { [variable]: "" }));
    assert.deepEqual(empty, before, "an empty variable counts as not set");
  });
}

const HOST = 'an IP address or host name without a port, such as 127.0.0.1, 0.0.0.0 or "::"';
const PORT = "must be a port from 1 to 65535, or 0 for any free one";
const badVariables: readonly (readonly [string, string, string])[] = [
  ["TIDEGATE_HTTP_PORT", "http", `TIDEGATE_HTTP_PORT ${PORT}, got "http"`],
  ["TIDEGATE_HTTP_PORT", "70000", `TIDEGATE_HTTP_PORT ${PORT}, got 70000`],
  ["TIDEGATE_HTTP_PORT", "0x1f90", `TIDEGATE_HTTP_PORT ${PORT}, got "0x1f90"`],
  [
    "TIDEGATE_GRPC_PORT",
    "tcp://10.0.0.1:8081",
    `TIDEGATE_GRPC_PORT ${PORT}, got "tcp://10.0.0.1:8081"; Kubernetes sets it so for a Service named ` +
      '"tidegate-grpc": set TIDEGATE_GRPC_PORT in the container yourself, set enableServiceLinks: false in the pod, ' +
      "or rename the Service",
  ],
  [
    "TIDEGATE_LOG_LEVEL",
    "INFO",
    'TIDEGATE_LOG_LEVEL must be debug, info, warn, error or silent, got "INFO"; did you mean info?',
  ],
  [
    "TIDEGATE_DRAIN_TIMEOUT",
    "10",
    'TIDEGATE_DRAIN_TIMEOUT must be a duration such as "500ms", "10s", "1m", "2h" or "1d", got "10"',
  ],
  [
    "TIDEGATE_EXPECTED_NODES",
    "2.5",
    'TIDEGATE_EXPECTED_NODES must be a whole number of nodes, 1 to 10000, got "2.5"',
  ],
  [
    "TIDEGATE_EXPECTED_NODES",
    "100000",
    "TIDEGATE_EXPECTED_NODES must be a whole number of nodes, 1 to 10000, got 100000",
  ],
  ["TIDEGATE_HOST", "http://x", `TIDEGATE_HOST must be ${HOST}, got "http://x"`],
  [
    "TIDEGATE_COORDINATION",
    "hibrid",
    'TIDEGATE_COORDINATION must be local, central, hybrid or gossip, got "hibrid"; did you mean hybrid?',
  ],
  [
    "TIDEGATE_STORE",
    "redis://user:hunter2@host:99999",
    "TIDEGATE_STORE must be a Redis address such as redis://host:6379, rediss://user:password@host:6379/0, " +
      "redis+cluster://host1:7000,host2:7000 or redis+sentinel://host1:26379,host2:26379/master-name, " +
      'got "redis://***@host:99999"',
  ],
];

for (const [variable, text, expected] of badVariables) {
  test(`refuses ${variable}="${text}"`, async () => {
    assert.deepEqual(refused(await load(FULL, { [variable]: text })), [expected]);
  });
}

test("variables and file are reported together", async () => {
  const environment = { TIDEGATE_HTTP_PORT: "x", TIDEGATE_LOG_LEVEL: "y" };
  const problems = refused(await load("host: 1:2\n", environment));
  assert.deepEqual(
    problems.map((line) => line.split(" ")[0]),
    ["TIDEGATE_HTTP_PORT", "TIDEGATE_LOG_LEVEL", "tidegate.yaml:1:1:", "tidegate.yaml:1:7:"],
  );
});

test("a misspelt variable is a warning, a foreign one is nothing", async () => {
  const environment = {
    TIDEGATE_LOGLEVEL: "debug",
    tidegate_http_port: "1",
    TIDEGATE_HTTP_PORTS: "",
    TIDEGATE_SERVICE_HOST: "10.0.0.1",
    TIDEGATE_PORT: "tcp://10.0.0.1:8080",
    TIDEGATE_PORT_8080_TCP_ADDR: "10.0.0.1",
    PATH: "/bin",
  };
  assert.deepEqual((await load(undefined, environment)).warnings, [
    "TIDEGATE_LOGLEVEL is not read; did you mean TIDEGATE_LOG_LEVEL?",
    "tidegate_http_port is not read; did you mean TIDEGATE_HTTP_PORT?",
  ]);
});

test("a policy called 1 may be the default, and is written as a number", async () => {
  const text = `defaultPolicy: 1\n${POLICIES.replace("api", "1")}`;
  assert.equal(accepted(await load(text)).defaultPolicy, "1");
});

test("a policy's own coordination is kept", async () => {
  const other = "b: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] }";
  const own = POLICIES.replace("{ limits", "{ coordination: local, limits");
  const text = `store: redis://h\n${own.trimEnd().slice(0, -1)}, ${other} }\n`;
  const { policies } = accepted(await load(text));
  assert.deepEqual([policies.api?.coordination, policies.b?.coordination], ["local", undefined]);
});

test("ports of 0 may be equal", async () => {
  const { httpPort, grpcPort } = accepted(await load(`ports: { http: 0, grpc: 0 }\n${POLICIES}`));
  assert.deepEqual([httpPort, grpcPort], [0, 0]);
});

test("the named file wins over the variable, which wins over tidegate.yaml", async () => {
  const files = {
    "tidegate.yaml": `host: default.file\n${POLICIES}`,
    "variable.yaml": `host: variable.file\n${POLICIES}`,
    "named.yaml": `host: named.file\n${POLICIES}`,
  };
  await inDirectory(files, async (directory) => {
    const hostOf = async (file: string | undefined, environment: Environment) => {
      const loaded = await loadConfiguration({ file, environment, directory });
      return [accepted(loaded).host, "file" in loaded && loaded.file];
    };
    const variable = { TIDEGATE_CONFIG: "variable.yaml" };
    assert.deepEqual(await hostOf("named.yaml", variable), ["named.file", "named.yaml"]);
    assert.deepEqual(await hostOf(undefined, variable), ["variable.file", "variable.yaml"]);
    assert.deepEqual(await hostOf(undefined, { TIDEGATE_CONFIG: "" }), [
      "default.file",
      "tidegate.yaml",
    ]);
    assert.deepEqual(await hostOf(join(directory, "named.yaml"), {}), [
      "named.file",
      join(directory, "named.yaml"),
    ]);
  });
});

test("a named file that cannot be read is refused, even beside a tidegate.yaml", async () => {
  await inDirectory({ "tidegate.yaml": POLICIES }, async (directory) => {
    mkdirSync(join(directory, "folder"));
    const problems = async (file: string | undefined, environment: Environment) =>
      refused(await loadConfiguration({ file, environment, directory }));
    assert.deepEqual(await problems("no.yaml", {}), [
      'the file "no.yaml" cannot be read: there is no such file',
    ]);
    assert.deepEqual(await problems("folder", {}), [
      'the file "folder" cannot be read: it is a directory',
    ]);
    assert.deepEqual(
      await problems(undefined, { TIDEGATE_CONFIG: "no.yaml", TIDEGATE_HOST: "a b" }),
      [
        'the file "no.yaml" (from TIDEGATE_CONFIG) cannot be read: there is no such file',
        `TIDEGATE_HOST must be ${HOST}, got "a b"`,
      ],
    );
  });
});

test("a file of nearly the right name is a warning", async () => {
  await inDirectory({ "tidegate.yml": POLICIES }, async (directory) => {
    const { warnings } = await loadConfiguration({ environment: {}, directory });
    assert.deepEqual(warnings, [
      "tidegate.yml is not read; name it tidegate.yaml, or pass --config tidegate.yml",
    ]);
  });
});
