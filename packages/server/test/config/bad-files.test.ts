// Every way in which a file can be wrong, with the exact message and the place that it names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load, POLICIES, refused } from "./support.ts";

const LIMIT = "{ algorithm: token-bucket, capacity: 100, refill: 10/s }";
const FILE = `{ policies: { api: { limits: [${LIMIT}] } } }`;
const STORES =
  "memory, redis://host:6379, rediss://user:password@host:6379/0 (TLS), redis+cluster://host:7000,host:7000 " +
  "or redis+sentinel://host:26379,host:26379/master-name";
const DURATION = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';
const WITH_UNIT = 'a duration with its unit, such as "500ms", "10s", "1m", "2h" or "1d"';
const HOST = 'an IP address or host name without a port, such as 127.0.0.1, 0.0.0.0 or "::"';
const PORT = "a port from 1 to 65535, or 0 for any free one";

const cases: readonly (readonly [string, string, ...string[]])[] = [
  // The file as a whole.
  ["empty", "", "1:1: the file is empty: write at least `policies`, as in docs/configuration.md"],
  [
    "only a comment",
    "# nothing\n",
    "1:1: the file is empty: write at least `policies`, as in docs/configuration.md",
  ],
  ["a list", "- 1\n", `1:1: the file must be a map such as ${FILE}, got a list`],
  ["a text", "memory\n", `1:1: the file must be a map such as ${FILE}, got a text`],
  ["a number", "7\n", `1:1: the file must be a map such as ${FILE}, got 7`],
  [
    "no policies",
    "store: memory\n",
    `1:1: policies is missing: write at least one, such as ${FILE.slice(2, -2)}`,
  ],
  ["unknown key", `${POLICIES}polices: {}\n`, "2:1: unknown key polices; did you mean policies?"],
  [
    "unknown key like none",
    `${POLICIES}metrics: true\n`,
    "2:1: unknown key metrics; known are store, coordination, policies, defaultPolicy, expectedNodes, " +
      "region, host, ports, log, drain, peers, gossip",
  ],
  ["key twice", `${POLICIES}host: a\nhost: b\n`, "3:1: host is written twice, first in line 2"],
  [
    "merge key",
    `<<: {}\n${POLICIES}`,
    "1:1: << is a merge key, which YAML 1.2 does not have: write the keys out",
  ],
  ["alias to nothing", `${POLICIES}host: *h\n`, "2:7: *h refers to nothing: no &h is before it"],
  // Syntax.
  ["tab", `policies:\n\tapi: 1\n`, "2:1: YAML is not indented with tabs: use spaces"],
  [
    "open bracket",
    "policies: [1, 2\nstore: memory\n",
    "2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  ["open quote", "store: 'memory\n", "2:1: not valid YAML: Missing closing 'quote"],
  [
    "reserved character",
    "store: @x\n",
    "1:8: not valid YAML: Plain value cannot start with reserved character @",
  ],
  [
    "two documents",
    `${POLICIES}---\n${POLICIES}`,
    "2:1: the file must hold one document: leave `---` out",
  ],
  [
    "older YAML",
    `%YAML 1.1\n---\n${POLICIES}`,
    "1:1: the file must be YAML 1.2, got %YAML 1.1: leave the line out",
  ],
  [
    "tag",
    `${POLICIES}host: !x a\n`,
    "2:7: tags such as ! and !! mean nothing here: Unresolved tag: !x",
  ],
  [
    "binary",
    `${POLICIES}host: !!binary aGk=\n`,
    "2:7: tags such as ! and !! mean nothing here: Unresolved tag: tag:yaml.org,2002:binary",
  ],
  [
    "CRLF keeps columns",
    `${POLICIES.trimEnd()}\r\nport: 1\r\n`,
    "2:1: unknown key port; did you mean ports?",
  ],
  [
    "byte order mark",
    `\ufeffstore: memroy\n${POLICIES}`,
    `1:8: store must be ${STORES}, got "memroy"; did you mean memory?`,
  ],
  // Settings.
  [
    "store misspelt",
    `${POLICIES}store: memroy\n`,
    `2:8: store must be ${STORES}, got "memroy"; did you mean memory?`,
  ],
  ["store empty", `${POLICIES}store:\n`, `2:7: store must be ${STORES}, got nothing`],
  ["store a map", `${POLICIES}store: { redis: x }\n`, `2:8: store must be ${STORES}, got a map`],
  [
    "store of another kind",
    `${POLICIES}store: postgres://u:secret@h/db\n`,
    "2:8: store must be a Redis address such as redis://host:6379, rediss://user:password@host:6379/0, " +
      "redis+cluster://host1:7000,host2:7000 or redis+sentinel://host1:26379,host2:26379/master-name, " +
      'got "postgres://***@h/db"',
  ],
  [
    "sentinels without a name",
    `${POLICIES}store: redis+sentinel://:secret@h:26379\n`,
    '2:8: store must be redis+sentinel://hosts/master-name, with the name, got "redis+sentinel://***@h:26379"',
  ],
  [
    "coordination",
    `${POLICIES}coordination: centrall\n`,
    '2:15: coordination must be local, central, hybrid or gossip, got "centrall"; did you mean central?',
  ],
  [
    "host with port",
    `${POLICIES}host: 127.0.0.1:80\n`,
    `2:7: host must be ${HOST}, got "127.0.0.1:80"`,
  ],
  [
    "host out of range",
    `${POLICIES}host: 127.0.0.256\n`,
    `2:7: host must be ${HOST}, got "127.0.0.256"`,
  ],
  ["host a number", `${POLICIES}host: 5\n`, `2:7: host must be ${HOST}, got 5`],
  [
    "ports a number",
    `${POLICIES}ports: 8080\n`,
    "2:8: ports must be a map such as { http: 8080, grpc: 8081, admin: 8082 }, got 8080",
  ],
  [
    "port too high",
    `${POLICIES}ports: { http: 65536 }\n`,
    `2:16: ports.http must be ${PORT}, got 65536`,
  ],
  ["port negative", `${POLICIES}ports: { grpc: -1 }\n`, `2:16: ports.grpc must be ${PORT}, got -1`],
  [
    "port a text",
    `${POLICIES}ports: { admin: "8082" }\n`,
    `2:17: ports.admin must be ${PORT}, got "8082"`,
  ],
  [
    "port a fraction",
    `${POLICIES}ports: { http: 80.5 }\n`,
    `2:16: ports.http must be ${PORT}, got 80.5`,
  ],
  [
    "unknown port",
    `${POLICIES}ports: { metrics: 1 }\n`,
    "2:10: unknown key ports.metrics; known are http, grpc, admin",
  ],
  [
    "log level",
    `${POLICIES}log: { level: warning }\n`,
    '2:15: log.level must be debug, info, warn, error or silent, got "warning"',
  ],
  [
    "log level misspelt",
    `${POLICIES}log: { level: eror }\n`,
    '2:15: log.level must be debug, info, warn, error or silent, got "eror"; did you mean error?',
  ],
  [
    "log a word",
    `${POLICIES}log: debug\n`,
    "2:6: log must be a map such as { level: info }, got a text",
  ],
  [
    "drain without unit",
    `${POLICIES}drain: { timeout: 10 }\n`,
    `2:19: drain.timeout must be ${WITH_UNIT}, got 10`,
  ],
  [
    "drain with another unit",
    `${POLICIES}drain: { timeout: 10x }\n`,
    `2:19: drain.timeout must be ${DURATION}, got "10x" (read "10", but "x" is no unit)`,
  ],
  [
    "nodes in words",
    `${POLICIES}expectedNodes: three\n`,
    '2:16: expectedNodes must be a whole number of nodes, 1 to 10000, got "three"',
  ],
  [
    "no nodes",
    `${POLICIES}expectedNodes: 0\n`,
    "2:16: expectedNodes must be a whole number of nodes, 1 to 10000, got 0",
  ],
  [
    "nodes that share nothing",
    `${POLICIES}expectedNodes: 3\n`,
    "2:16: expectedNodes must be left out with the store in memory, got 3; nodes share their limits in a store " +
      "such as store: redis://127.0.0.1:6379",
  ],
  [
    "too many nodes",
    `${POLICIES}expectedNodes: 10001\n`,
    "2:16: expectedNodes must be a whole number of nodes, 1 to 10000, got 10001",
  ],
  [
    "drain too long",
    `${POLICIES}drain: { timeout: 2h }\n`,
    '2:19: drain.timeout must be a duration from 1ms to 1h, got "2h"',
  ],
];

for (const [name, text, ...expected] of cases) {
  test(`refuses: ${name}`, async () => {
    const problems = refused(await load(text));
    assert.deepEqual(
      problems,
      expected.map((line) => `tidegate.yaml:${line}`),
    );
  });
}
