// What is right by itself and wrong together: coordinations and stores, leases and limits, ports, the default policy.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Environment } from "../../src/config/environment.ts";
import { load, POLICIES, refused } from "./support.ts";

const HYBRID = "hybrid needs a store that nodes share, such as store: redis://127.0.0.1:6379";
const CENTRAL = "central needs a store that nodes share, such as store: redis://127.0.0.1:6379";
const IN_MEMORY = "coordination must be local or gossip with the store in memory";
const policyOf = (coordination: string) =>
  POLICIES.replace("{ limits", `{ coordination: ${coordination}, limits`);
const unleasable = (name: string, what: string) =>
  `policies.${name}.limits must be token buckets, fixed, sliding or calendar windows, none of them soft, for ` +
  `coordination "hybrid", got ${what}; use coordination "central" for it`;
const NAMES = ["api", "login", ..."abcdefghijk"];
const many = NAMES.map(
  (name) => `${name}: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s }] }`,
);
const clashes: readonly (readonly [string, string, Environment, ...string[]])[] = [
  [
    "central in memory",
    `coordination: central\n${POLICIES}`,
    {},
    `tidegate.yaml:1:15: ${IN_MEMORY}, got "central"; ${CENTRAL}`,
  ],
  [
    "a policy that is central in memory",
    policyOf("central"),
    {},
    `tidegate.yaml:1:34: policies.api.${IN_MEMORY}, got "central"; ${CENTRAL}`,
  ],
  [
    "central in memory, by variable",
    POLICIES,
    { TIDEGATE_COORDINATION: "central" },
    `${IN_MEMORY}, got "central" (from TIDEGATE_COORDINATION); ${CENTRAL}`,
  ],
  [
    "memory by variable under a central file",
    `store: redis://h\ncoordination: central\n${POLICIES}`,
    { TIDEGATE_STORE: "memory" },
    `tidegate.yaml:2:15: ${IN_MEMORY} (from TIDEGATE_STORE), ` + `got "central"; ${CENTRAL}`,
  ],
  [
    "expectedNodes in memory",
    `expectedNodes: 3\n${POLICIES}`,
    {},
    "tidegate.yaml:1:16: expectedNodes must be left out with the store in memory, got 3; nodes share " +
      "their limits in a store such as store: redis://127.0.0.1:6379",
  ],
  [
    "hybrid in memory",
    `coordination: hybrid\n${POLICIES}`,
    {},
    `tidegate.yaml:1:15: ${IN_MEMORY}, got "hybrid"; ${HYBRID}`,
  ],
  [
    "a policy that is hybrid in memory",
    policyOf("hybrid"),
    {},
    `tidegate.yaml:1:34: policies.api.${IN_MEMORY}, got "hybrid"; ${HYBRID}`,
  ],
  [
    "what only leases have, where all else is central",
    `store: redis://h\n${policyOf("local, leaseFraction: 0.5").replace("coordination: local, ", "")}`,
    {},
    'tidegate.yaml:2:35: policies.api.leaseFraction must be left out, since it is for coordination "hybrid" and ' +
      'this is "central", got 0.5',
  ],
  [
    "what only leases have, central by variable",
    `store: redis://h\ncoordination: hybrid\n${POLICIES.replace("{ limits", "{ syncInterval: 1s, limits")}`,
    { TIDEGATE_COORDINATION: "central" },
    'tidegate.yaml:3:34: policies.api.syncInterval must be left out, since it is for coordination "hybrid" and ' +
      'this is "central", got "1s"',
  ],
  [
    "limits that no lease can be had of, in two policies",
    "store: redis://h\ncoordination: hybrid\npolicies:\n" +
      "  jobs: { limits: [{ algorithm: concurrency, limit: 1, lease: 1s }] }\n" +
      "  plan: { limits: [{ algorithm: fixed-window, limit: 1, window: 1s, soft: true }] }\n" +
      "  mail: { coordination: central, limits: [{ algorithm: leaky-bucket, rate: 1/s, queue: 1 }] }\n",
    {},
    `tidegate.yaml:4:19: ${unleasable("jobs", "a limit by concurrency")}`,
    `tidegate.yaml:5:19: ${unleasable("plan", "a soft limit")}`,
  ],
  [
    "Redis that no policy uses",
    `store: redis://:hunter2@h\ncoordination: local\n${POLICIES}`,
    {},
    "tidegate.yaml:1:8: store must be memory where every policy is coordinated by local or gossip, got " +
      '"redis://***@h": ' +
      "no policy would be counted in it; set coordination to central or hybrid, or leave the store out",
  ],
  [
    "a default policy that there is not",
    `defaultPolicy: apo\n${POLICIES}`,
    {},
    'tidegate.yaml:1:16: defaultPolicy must be the name of a policy, got "apo"; did you mean api?',
  ],
  [
    "a default policy like none",
    `defaultPolicy: other\n${POLICIES}`,
    {},
    'tidegate.yaml:1:16: defaultPolicy must be the name of a policy, got "other"; there are api',
  ],
  [
    "a default policy like none of many",
    `defaultPolicy: other\npolicies: { ${many.join(", ")} }\n`,
    {},
    'tidegate.yaml:1:16: defaultPolicy must be the name of a policy, got "other"',
  ],
  [
    "a default policy that is no name",
    `defaultPolicy: [api]\n${POLICIES}`,
    {},
    "tidegate.yaml:1:16: defaultPolicy must be a policy's name, got a list",
  ],
  [
    "a default policy that there is not, by variable",
    POLICIES,
    { TIDEGATE_DEFAULT_POLICY: "login" },
    'defaultPolicy must be the name of a policy, got "login" (from TIDEGATE_DEFAULT_POLICY); there are api',
  ],
  [
    "a default policy that is wrong itself",
    "defaultPolicy: api\npolicies: { api: { limits: [] } }\n",
    {},
    "tidegate.yaml:2:28: policies.api.limits must be a list of 1 to 8 limits such as " +
      "[{ algorithm: token-bucket, capacity: 100, refill: 10/s }], got 0 of them",
  ],
  [
    "two ports of one number",
    `ports: { http: 9, grpc: 9 }\n${POLICIES}`,
    {},
    "tidegate.yaml:1:25: ports.grpc must differ from ports.http, got 9 for both",
  ],
  [
    "a port that is another's default",
    `ports: { http: 8082 }\n${POLICIES}`,
    {},
    "tidegate.yaml:1:16: ports.admin must differ from ports.http, got 8082 for both",
  ],
  [
    "two ports of one number by variable",
    POLICIES,
    { TIDEGATE_HTTP_PORT: "8082" },
    "ports.admin must differ from ports.http, got 8082 for both (from TIDEGATE_HTTP_PORT)",
  ],
];

for (const [name, text, environment, ...expected] of clashes) {
  test(`refuses: ${name}`, async () => {
    assert.deepEqual(refused(await load(text, environment)), expected);
  });
}

test("what is wrong by itself raises no second complaint about what it clashes with", async () => {
  const text = `store: redis//x\ncoordination: central\nports: { http: x, grpc: 8080 }\n${POLICIES}`;
  const places = refused(await load(text)).map((line) => line.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(places, ["tidegate.yaml:1:8: store", "tidegate.yaml:3:16: ports.http"]);
});
