// How services that gossip find, reach and believe each other, as a file and variables say it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Environment } from "../../src/config/environment.ts";
import { loadConfiguration } from "../../src/config/load-configuration.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { accepted, inDirectory, load, POLICIES, refused } from "./support.ts";

const SECRET = "a secret that is long enough";
const BASE = `coordination: gossip\n${POLICIES}`;
/** A file whose fourth line and on are about peers. */
const withPeers = (text: string) => `${BASE}peers:\n${text.replace(/^(?=.)/gm, "  ")}\n`;
const TRUSTED: Environment = { TIDEGATE_PEERS_SECRET: SECRET };

test("the smallest cluster is a list and a secret; all else has a default", async () => {
  const { gossip, coordination, ...rest } = accepted(
    await load(withPeers("members: [a:8083, b]"), TRUSTED),
  );
  assert.equal(coordination, "gossip");
  assert.deepEqual(gossip, {
    intervalMs: 100,
    fanout: 2,
    regionIntervalMs: 1_000,
    maxMessageBytes: 1_048_576,
    peers: {
      transport: "grpc",
      host: "127.0.0.1",
      port: 8083,
      members: ["a:8083", "b:8083"],
      secret: SECRET,
    },
  });
  assert.ok(
    !Object.keys(rest).some((key) => /^(peers|gossip)/.test(key)),
    "nothing is there twice",
  );
});

const FULL = `host: 0.0.0.0
region: eu
${BASE}gossip:
  interval: 50ms
  fanout: 3
  regionInterval: 2s
  maxMessageSize: 64KiB
peers:
  host: "::"
  port: 9000
  advertise: 10.0.0.7
  dns: tidegate-peers.default.svc
  secret: ${SECRET}
`;

test("a file may say everything", async () => {
  const expected = {
    intervalMs: 50,
    fanout: 3,
    regionIntervalMs: 2_000,
    maxMessageBytes: 65_536,
    peers: {
      transport: "grpc",
      host: "::",
      port: 9000,
      advertise: "10.0.0.7",
      dns: "tidegate-peers.default.svc:8083",
      secret: SECRET,
    },
  };
  const { gossip, region } = accepted(await load(FULL));
  assert.deepEqual([gossip, region], [expected, "eu"]);
  const environment = {
    TIDEGATE_GOSSIP_INTERVAL: "20ms",
    TIDEGATE_GOSSIP_FANOUT: "1",
    TIDEGATE_REGION: "us",
    TIDEGATE_GOSSIP_REGION_INTERVAL: "3s",
    TIDEGATE_GOSSIP_MAX_MESSAGE_SIZE: "4096",
    TIDEGATE_PEERS_HOST: "127.0.0.1",
    TIDEGATE_PEERS_PORT: "0",
    TIDEGATE_PEERS_ADVERTISE: "[fd00::1]:7000",
    TIDEGATE_PEERS_DNS: "other:1",
    TIDEGATE_PEERS_SECRET: `${SECRET}!`,
  };
  const loaded = await load(FULL, environment);
  assert.deepEqual(accepted(loaded).gossip, {
    intervalMs: 20,
    fanout: 1,
    regionIntervalMs: 3_000,
    maxMessageBytes: 4_096,
    peers: {
      transport: "grpc",
      host: "127.0.0.1",
      port: 0,
      advertise: "[fd00::1]:7000",
      dns: "other:1",
      secret: `${SECRET}!`,
    },
  });
  assert.equal(accepted(loaded).region, "us");
  const set = "variables" in loaded && [...loaded.variables].sort();
  assert.deepEqual(set, Object.keys(environment).sort());
});

test("variables alone configure a node; a Redis may be registry and transport", async () => {
  const environment = {
    ...TRUSTED,
    TIDEGATE_COORDINATION: "gossip",
    TIDEGATE_PEERS_MEMBERS: " a:1, [::1]:2 ,c,",
  };
  const { gossip } = accepted(await load(POLICIES, environment));
  assert.deepEqual(gossip?.peers.members, ["a:1", "[::1]:2", "c:8083"]);
  const redis = "redis: redis://:hunter2@h";
  const registry = accepted(await load(withPeers(redis), TRUSTED)).gossip;
  assert.deepEqual(registry?.peers.redis, "redis://:hunter2@h");
  const through = accepted(await load(withPeers(`${redis}\ntransport: redis`), TRUSTED)).gossip;
  assert.deepEqual([through?.peers.transport, through?.peers.port], ["redis", 0]);
});

test("in Kubernetes POD_IP is what others reach a node by, where it listens on all addresses", async () => {
  const advertised = async (text: string, environment: Environment) => {
    const loaded = await load(text, { ...TRUSTED, POD_IP: "10.1.2.3", ...environment });
    return accepted(loaded).gossip?.peers.advertise;
  };
  const members = withPeers("members: [a]");
  assert.equal(await advertised(`host: 0.0.0.0\n${members}`, {}), "10.1.2.3");
  assert.equal(await advertised(members, { TIDEGATE_PEERS_HOST: "::" }), "10.1.2.3");
  assert.equal(await advertised(members, {}), undefined);
  assert.equal(await advertised(members, { TIDEGATE_PEERS_ADVERTISE: "b" }), "b");
  assert.equal(await advertised(`host: 0.0.0.0\n${members}`, { POD_IP: "no address" }), undefined);
});

test("a node that the others cannot reach is warned of", async () => {
  const warnings = async (text: string, environment: Environment = {}) => {
    return (await load(text, { ...TRUSTED, ...environment })).warnings;
  };
  assert.deepEqual(await warnings(withPeers("members: [127.0.0.1, a:1]")), [
    "peers.host is 127.0.0.1, which no other machine reaches, and a:1 is one; set host or peers.host " +
      "(TIDEGATE_HOST, TIDEGATE_PEERS_HOST) to 0.0.0.0, or to this machine's address",
  ]);
  assert.equal((await warnings(withPeers("dns: a"))).length, 1);
  assert.deepEqual(await warnings(withPeers('members: [127.0.0.2, localhost:1, "[::1]:7"]')), []);
  assert.deepEqual(await warnings(withPeers("members: [a]"), { TIDEGATE_HOST: "0.0.0.0" }), []);
  assert.deepEqual(await warnings(withPeers("members: [a]\nadvertise: b")), []);
});

test("policies have their own of gossip: partitions, and weights of regions", async () => {
  const text = `coordination: gossip
region: eu
peers: { members: [a] }
policies:
  api:
    partition: share
    regions: { eu: 3, us: 1 }
    limits: [{ algorithm: fixed-window, limit: 8, window: 1m }]
  node: { coordination: local, limits: [{ algorithm: concurrency, limit: 1, lease: 1s }] }
`;
  const { policies } = accepted(await load(text, TRUSTED));
  const { limits, ...own } = policies.api!;
  assert.deepEqual(own, { partition: "share", regions: { eu: 3, us: 1 } });
  assert.equal(limits[0]!.limit, 8, "the whole; the library takes the region's part");
});

const ADDRESS = "an address such as 10.0.0.1:8083 or tidegate-1:8083";
const LIST = "a list of 1 to 1024 addresses such as [tidegate-1:8083, tidegate-2:8083]";
const TEXT = "a text of at least 16 characters, the same on all nodes";
const SOURCE =
  "peers must say which nodes gossip: write peers.members: [tidegate-1:8083, tidegate-2:8083], " +
  "peers.dns: name:8083, or peers.redis: redis://host:6379 (or TIDEGATE_PEERS_MEMBERS and so on)";
const NO_SECRET =
  "peers.secret is missing: without it any stranger could tell this node what was admitted; " +
  "set TIDEGATE_PEERS_SECRET on all nodes to the same 16 characters or more, as of `openssl rand -hex 24`";

const wrong: readonly (readonly [string, string, Environment, ...string[]])[] = [
  ["nothing of peers", BASE, {}, `1:15: ${SOURCE}`, `1:15: ${NO_SECRET}, or peers.tls`],
  ["no secret", withPeers("members: [a]"), {}, `1:15: ${NO_SECRET}, or peers.tls`],
  [
    "no secret, through Redis",
    withPeers("{ redis: redis://h, transport: redis }"),
    {},
    `1:15: ${NO_SECRET}`,
  ],
  [
    "a secret that is short",
    withPeers("members: [a]\nsecret: hunter2"),
    {},
    `5:11: peers.secret must be ${TEXT}, got 7 of them`,
  ],
  [
    "a secret that is a number",
    withPeers("members: [a]\nsecret: 12345678901234567"),
    {},
    `5:11: peers.secret must be ${TEXT}, in quotes`,
  ],
  [
    "two sources of members",
    withPeers("members: [a]\ndns: b"),
    TRUSTED,
    "5:8: peers must have one of members, dns and redis, got peers.members and peers.dns",
  ],
  [
    "no members",
    withPeers("members: []"),
    TRUSTED,
    `4:12: peers.members must be ${LIST}, got 0 of them`,
  ],
  [
    "members no list",
    withPeers("members: a"),
    TRUSTED,
    `4:12: peers.members must be ${LIST}, got "a"`,
  ],
  [
    "a member that is none",
    withPeers("members: [a, http://b]"),
    TRUSTED,
    `4:12: peers.members must be ${LIST}, got "http://b" among them`,
  ],
  [
    "a name that is none",
    withPeers("dns: a b"),
    TRUSTED,
    `4:8: peers.dns must be ${ADDRESS}, got "a b"`,
  ],
  [
    "a registry in memory",
    withPeers("redis: memory"),
    TRUSTED,
    '4:10: peers.redis must be the address of a Redis, such as redis://127.0.0.1:6379, got "memory"',
  ],
  [
    "what nodes that talk through Redis do not need",
    withPeers("redis: redis://h\ntransport: redis\nport: 1"),
    TRUSTED,
    "6:9: peers.port must be left out with peers.transport: redis, by which nodes do not reach each other",
  ],
  [
    "no Redis to talk through",
    withPeers("transport: redis"),
    TRUSTED,
    "1:15: peers.redis is missing: write the Redis that nodes talk through, such as redis://127.0.0.1:6379",
  ],
  [
    "half of TLS",
    withPeers("members: [a]\ntls: { cert: x.pem }"),
    {},
    "5:16: peers.tls.key and peers.tls.ca must be set where peers.tls.cert is",
  ],
  [
    "a misspelt key",
    withPeers("member: [a]"),
    TRUSTED,
    `1:15: ${SOURCE}`,
    "4:3: unknown key peers.member; did you mean members?",
  ],
  [
    "a port twice",
    `${withPeers("members: [a]\nport: 8080")}`,
    TRUSTED,
    "5:9: peers.port must differ from ports.http, got 8080 for both",
  ],
  [
    "regions that are told faster than nodes",
    `${withPeers("members: [a]")}gossip: { interval: 5s, regionInterval: 1s }\n`,
    TRUSTED,
    "5:41: gossip.regionInterval must be at least gossip.interval, which is 5000ms, got 1000ms",
  ],
  [
    "an interval that is too short",
    `${withPeers("members: [a]")}gossip: { interval: 1ms, fanout: 17, maxMessageSize: 1B }\n`,
    TRUSTED,
    '5:21: gossip.interval must be a duration from 10ms to 1m, got "1ms"',
    "5:34: gossip.fanout must be a whole number of nodes, 1 to 16, got 17",
    '5:54: gossip.maxMessageSize must be a size from 1KiB to 4000000 bytes, such as 256KiB, got "1B"',
  ],
  [
    "peers of policies that do not gossip",
    `${POLICIES}peers: { members: [a] }\n`,
    {},
    "2:19: peers.members must be left out where no policy gossips; " +
      "set coordination: gossip, for all policies or for one",
  ],
  [
    "what only gossip has, where all else is local",
    POLICIES.replace("{ limits", "{ partition: share, limits"),
    {},
    '1:31: policies.api.partition must be left out, since it is for coordination "gossip" and this is ' +
      '"local", got "share"',
  ],
  [
    "a partition that there is not",
    withPeers("members: [a]").replace("{ limits", "{ partition: half, limits"),
    TRUSTED,
    '2:31: policies.api.partition must be full or share, got "half"',
  ],
  [
    "a region without a weight",
    withPeers("members: [a]").replace("{ limits", "{ regions: { eu: 1 }, limits"),
    { ...TRUSTED, TIDEGATE_REGION: "us" },
    '2:29: policies.api.regions must be an object with a weight for the limiter\'s region too, "us", got ' +
      '{"eu":1}',
  ],
  [
    "a weight of nothing",
    withPeers("members: [a]").replace("{ limits", "{ regions: { eu: 0 }, limits"),
    { ...TRUSTED, TIDEGATE_REGION: "eu" },
    "2:35: policies.api.regions.eu must be a whole number from 1 to 1000, got 0",
  ],
  [
    "limits that cannot be gossiped of",
    withPeers("members: [a]").replace(
      "policies: {",
      "policies: { jobs: { limits: [{ algorithm: leaky-bucket, rate: 1/s, queue: 1 }] },",
    ),
    TRUSTED,
    "2:29: policies.jobs.limits must be token buckets, fixed, sliding or calendar windows, none of them soft, " +
      'for coordination "gossip", got a limit by leaky-bucket; use coordination "central" for it',
  ],
];

for (const [name, text, environment, ...expected] of wrong) {
  test(`refuses: ${name}`, async () => {
    const problems = refused(await load(text, environment));
    assert.deepEqual(
      problems,
      expected.map((line) => `tidegate.yaml:${line}`),
    );
    assert.ok(!problems.join().includes("hunter2"));
  });
}

test("a variable that is wrong is named, and what it holds is not where it is the secret", async () => {
  const environment = {
    TIDEGATE_PEERS_SECRET: "hunter2",
    TIDEGATE_PEERS_PORT: "tcp://10.0.0.1:8083",
    TIDEGATE_PEERS_MEMBERS: ",",
  };
  const problems = refused(await load(BASE, environment));
  assert.deepEqual(
    problems.map((line) => line.replace(/, got .*/s, "")),
    [
      "TIDEGATE_PEERS_PORT must be a port from 1 to 65535, or 0 for any free one",
      `TIDEGATE_PEERS_MEMBERS must be ${LIST}`,
      `TIDEGATE_PEERS_SECRET must be ${TEXT}`,
    ],
  );
  assert.ok(!problems.join().includes("hunter2"));
});

const TLS = new URL("../../../../test/fixtures/tls/", import.meta.url);
const pem = (name: string) => readFileSync(new URL(name, TLS), "utf8");

test("the files of mutual TLS are read, and need no secret beside them", async () => {
  const files = {
    "tidegate.yaml": withPeers(
      "members: [a]\ntls: { cert: c.pem, key: k.pem, ca: a.pem, name: n }",
    ),
    "c.pem": pem("nodes/certificate.pem"),
    "k.pem": pem("nodes/key.pem"),
    "a.pem": pem("nodes/ca.pem"),
  };
  const read = (changed: Readonly<Record<string, string>> = {}) => {
    return inDirectory({ ...files, ...changed }, async (directory) => {
      const loaded = await loadConfiguration({ environment: {}, directory });
      if (!("problems" in loaded)) return loaded.configuration.gossip?.peers.tls;
      return loaded.problems.map((one) => formatProblem(one).replaceAll(directory, "."));
    });
  };
  const { "c.pem": cert, "k.pem": key, "a.pem": ca } = files;
  assert.deepEqual(await read(), { cert, key, ca, name: "n" });
  assert.deepEqual(await read({ "k.pem": pem("key.pem") }), [
    "tidegate.yaml:5:28: peers.tls.key must be the key of the certificate of peers.tls.cert, got another one",
  ]);
  const problems = (await read({
    "k.pem": "hunter2",
    "a.pem": "",
    "tidegate.yaml": files["tidegate.yaml"].replace("c.pem", "none.pem"),
  })) as string[];
  assert.match(
    problems[0]!,
    /:5:16: peers.tls.cert must be a file that can be read, got ".\/none.pem": there is/,
  );
  assert.match(
    problems[1]!,
    /:5:31: peers.tls.key must be a file with an unencrypted private key in PEM, got/,
  );
  assert.match(
    problems[2]!,
    /:5:42: peers.tls.ca must be a file with the certificate of an authority in PEM/,
  );
  assert.equal(problems.length, 3);
  assert.ok(!problems.join().includes("hunter2"));
});
