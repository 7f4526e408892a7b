// Three real services that gossip over gRPC: one count, killed and frozen nodes, strangers, and what is told of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { type ClusterNode, withCluster } from "./cluster.ts";

const FILE = `
coordination: gossip
gossip: { interval: 50ms }
policies:
  api:
    limits: [{ algorithm: fixed-window, limit: 100, window: 365d }]
  shared:
    partition: share
    limits: [{ algorithm: fixed-window, limit: 100, window: 365d }]
`;

/** Waits until nodes know how much of a policy is used. */
async function allKnow(nodes: readonly ClusterNode[], policy: string, used: number): Promise<void> {
  for (const node of nodes) {
    await eventually(async () => assert.equal(await node.used(policy), used));
  }
}

/** Takes units one by one until so many were admitted, or it denies for good; resolves to how many were. */
async function takeUpTo(node: ClusterNode, policy: string, units: number): Promise<number> {
  let admitted = 0;
  let denied = 0;
  while (admitted < units && denied < 50) {
    if (await node.check(policy)) {
      admitted += 1;
      denied = 0;
    } else denied += 1;
  }
  return admitted;
}

test("three services share one count, and tell how they stand", async (context) => {
  await withCluster(context, FILE, async (nodes) => {
    let used = 0;
    for (const node of [...nodes, ...nodes].slice(0, 5)) {
      await eventually(async () => assert.equal(await node.check("api", 20), true));
      used += 20;
      await allKnow(nodes, "api", used);
    }
    for (const node of nodes) assert.equal(await node.check("api"), false);
    const [first] = nodes;
    const { gossip } = await first!.ready();
    assert.deepEqual([gossip.joined, gossip.address, gossip.nodes], [true, first!.address, 3]);
    for (const { state, lagMs, since } of gossip.peers) {
      assert.equal(state, "reachable");
      assert.ok(lagMs !== null && lagMs >= 0);
      assert.ok(Number.isFinite(Date.parse(since)));
    }
    const metric = (name: string) => first!.metric(`rate_limiter_gossip_${name}`);
    assert.equal(await metric('peers{state="reachable"}'), 2);
    assert.equal(await metric("keys"), 1);
    assert.equal(await metric("keys_in_debt"), 0);
    assert.equal(await metric("forgiven_units_total"), 0);
    for (const name of ["rounds_total", 'messages_total{direction="received"}', "lag_seconds"]) {
      assert.ok((await metric(name))! > 0, name);
    }
    for (const reason of ["malformed", "unsigned", "version", "too-large"]) {
      assert.equal(await metric(`refused_total{reason="${reason}"}`), 0);
    }
    for (const node of nodes) {
      assert.equal(node.log("joined: this node knows what the others counted").length, 1);
      assert.equal(node.log("peer is reachable").length, 2, "a line for each other node");
    }
  });
});

test("a node that is killed is told of once, and learns the count when it is back", async (context) => {
  await withCluster(context, FILE, async (nodes) => {
    const [a, b, c] = nodes as [ClusterNode, ClusterNode, ClusterNode];
    await eventually(async () => assert.equal(await b.check("api", 5), true));
    await allKnow(nodes, "api", 5);
    await b.kill("SIGKILL");
    for (const node of [a, c]) {
      await node.hears(2);
      const gone = await node.peer(b);
      assert.equal(gone?.state, "away");
      assert.match(gone!.reason!, /ECONNREFUSED/);
      const [line, ...more] = node.log("peer is away");
      assert.deepEqual([line!.peer, line!.reachable, line!.nodes], [b.address, 2, 3]);
      assert.equal(line!.level, "warn");
      assert.deepEqual(more, []);
    }
    await eventually(async () => assert.equal(await a.check("api", 5), true));
    b.restart();
    for (const node of nodes) await node.hears(3);
    await allKnow(nodes, "api", 10);
    assert.equal(a.log("peer is reachable").filter(({ peer }) => peer === b.address).length, 2);
    await eventually(async () =>
      assert.equal(await a.metric('rate_limiter_gossip_peers{state="away"}'), 0),
    );
  });
});

test("a node that stops hands over what it has not told, and leaves", async (context) => {
  await withCluster(context, FILE, async (nodes) => {
    const [a, b, c] = nodes as [ClusterNode, ClusterNode, ClusterNode];
    await eventually(async () => assert.equal(await c.check("api", 7), true));
    await c.kill("SIGTERM");
    assert.equal(c.log("stopped").length, 1);
    await allKnow([a, b], "api", 7);
    for (const node of [a, b]) {
      await eventually(() => assert.equal(node.log("peer left").length, 1));
      assert.deepEqual(node.log("peer is away"), []);
    }
  });
});

test("a frozen node is away; a side has the whole limit, or its share, as the policy says", async (context) => {
  await withCluster(context, FILE, async (nodes) => {
    const [a, b, c] = nodes as [ClusterNode, ClusterNode, ClusterNode];
    for (const node of [b, c]) node.freeze();
    await a.hears(1);
    assert.match((await a.peer(b))!.reason!, /^no (answer|connection) (for|within)/);
    assert.equal(await takeUpTo(a, "api", 100), 100, "the whole");
    const share = await takeUpTo(a, "shared", 100);
    assert.ok(share >= 1 && share <= 34, `${share}, which is more than a third of 100`);
    for (const node of [b, c]) node.thaw();
    for (const node of nodes) await node.hears(3);
    await allKnow(nodes, "api", 100);
    let admitted = share;
    for (const node of nodes) admitted += await takeUpTo(node, "shared", 100);
    assert.ok(admitted <= 100, `${admitted} of 100`);
    for (const node of nodes) assert.equal(await node.check("api"), false);
  });
});

test("a node with another secret is refused, counted and told of, and changes no count", async (context) => {
  await withCluster(context, FILE, async (nodes, add) => {
    const stranger = add({ TIDEGATE_PEERS_SECRET: "another secret, as long" });
    await stranger.hears(1);
    await eventually(() => {
      const [alone] = stranger.log(
        "joined nobody: this node counts alone until it hears of another",
      );
      assert.deepEqual([alone?.level, alone?.reachable, alone?.nodes], ["warn", 1, 4]);
    });
    await eventually(async () => assert.equal(await stranger.check("api", 100), true));
    const [a] = nodes;
    for (const node of nodes) {
      const { state, reason } = (await stranger.peer(node))!;
      assert.equal(state, "away");
      assert.match(
        reason!,
        /^messages arrive there, .* believed: has it the same peers\.secret\?$/,
      );
    }
    await eventually(async () => {
      const series = 'rate_limiter_gossip_refused_total{reason="unsigned"}';
      assert.ok((await a!.metric(series))! > 5);
    });
    const [line] = a!.log("a message of the gossip was refused");
    assert.deepEqual([line!.level, line!.reason], ["warn", "unsigned"]);
    assert.equal(await a!.peer(stranger), undefined);
    for (const node of nodes) {
      await node.hears(3);
      assert.equal(await node.used("api"), 0);
    }
  });
});
