// Who is there: away and back, restarted, left, by other names; each change is told once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedKeys } from "../../src/gossip/keys.ts";
import type { Origin } from "../../src/gossip/origin.ts";
import { Peers } from "../../src/gossip/peers.ts";
import { Replica } from "../../src/gossip/replica.ts";
import { createSurroundings } from "../../src/gossip/surroundings.ts";
import type { PeerChange } from "../../src/index.ts";
import { messageOf, originOf } from "./messages.ts";
import { readInto } from "./read-into.ts";

const SECOND = 1_000_000;

/** The peers of node "own:1" of region "eu", and what was told of them. */
function createPeers(members: string[]) {
  const replica = new Replica(
    originOf("00000000000000aa", "own:1", "eu"),
    new CountedKeys(),
    () => {},
  );
  const surroundings = createSurroundings();
  surroundings.hasJoined = true;
  const changes: string[] = [];
  const told: PeerChange[] = [];
  const peers = new Peers(
    {
      ...{ replica, surroundings, awayAfterUs: SECOND, otherAwayAfterUs: 8 * SECOND },
      members: () => members,
      changed: (change) => {
        told.push(change);
        changes.push(`${change.peer.address} ${change.peer.state}`);
      },
    },
    0,
  );
  let lives = 0;
  return {
    ...{ replica, surroundings, peers, changes, told, members },
    /** Has one life of a node be heard of at an instant. */
    hear(address: string, now: number, life?: Origin, region = "eu"): Origin {
      lives += 1;
      const origin = life ?? originOf(`${lives}`.padStart(16, "0"), address, region);
      origin.version += 1;
      origin.asOf = now;
      readInto(replica, messageOf([[origin, 0]], now), now);
      return origin;
    },
    states: (now: number) => peers.all(now).map(({ address, state }) => `${address} ${state}`),
  };
}

test("a node that is not there when this one begins is no news; that it comes, goes and comes back is, once", () => {
  const { peers, changes, told, hear, surroundings } = createPeers(["own:1", "b:1", "c:1"]);
  peers.refresh(0);
  assert.deepEqual([changes, surroundings.nodes, surroundings.reachable], [[], 3, 1]);
  const b = hear("b:1", 1_000);
  peers.refresh(1_000);
  peers.refresh(1_000);
  assert.deepEqual(changes, ["b:1 reachable"]);
  assert.deepEqual([told[0]!.reachable, told[0]!.nodes], [2, 3]);
  for (let now = 100_000; now <= 1_100_000; now += 100_000) peers.refresh(now);
  assert.deepEqual(changes, ["b:1 reachable", "b:1 away"]);
  assert.deepEqual([told[1]!.reachable, told[1]!.nodes], [1, 3]);
  hear("b:1", 1_200_000, b);
  peers.refresh(1_200_000);
  assert.deepEqual(changes.slice(2), ["b:1 reachable"]);
});

test("a node that starts again at its address is one node, by its new life", () => {
  const { peers, changes, hear, replica, surroundings } = createPeers(["b:1"]);
  peers.refresh(0);
  const first = hear("b:1", 1_000);
  peers.refresh(1_000);
  const second = hear("b:1", 50_000);
  peers.refresh(50_000);
  assert.deepEqual([surroundings.nodes, surroundings.reachable], [2, 2]);
  assert.equal(replica.find(first.instance)!.isOver, true);
  assert.equal(replica.find(second.instance)!.isOver, false);
  assert.equal(peers.all(50_000)[0]!.instance, second.instance);
  assert.deepEqual(changes, ["b:1 reachable"], "who asks for it has it");
});

test("an earlier life of this node is over, and is nobody else", () => {
  const { peers, changes, hear, replica, surroundings } = createPeers([]);
  const before = hear("own:1", 1_000);
  peers.refresh(1_000);
  assert.equal(replica.find(before.instance)!.isOver, true);
  assert.deepEqual([surroundings.nodes, changes], [1, []]);
});

test("a node that says that it leaves is gone, although it is a member, until it starts again", () => {
  const { peers, changes, hear, surroundings } = createPeers(["b:1"]);
  peers.refresh(0);
  const b = hear("b:1", 1_000);
  peers.refresh(1_000);
  b.hasLeft = true;
  hear("b:1", 2_000, b);
  peers.refresh(2_000);
  assert.deepEqual([changes.at(-1), surroundings.nodes], ["b:1 left", 1]);
  hear("b:1", 3_000);
  peers.refresh(3_000);
  assert.deepEqual([changes.at(-1), surroundings.nodes], ["b:1 reachable", 2]);
});

test("a node that was killed, came back and then left is gone, and not away as its life that was killed", () => {
  const { peers, changes, hear, surroundings } = createPeers(["b:1"]);
  peers.refresh(0);
  hear("b:1", 1_000);
  for (let now = 1_000; now <= 1_300_000; now += 100_000) peers.refresh(now);
  assert.deepEqual(changes, ["b:1 reachable", "b:1 away"]);
  const second = hear("b:1", 1_400_000);
  peers.refresh(1_400_000);
  second.hasLeft = true;
  hear("b:1", 1_500_000, second);
  peers.refresh(1_500_000);
  peers.refresh(1_600_000);
  assert.deepEqual(changes.slice(2), ["b:1 reachable", "b:1 left"]);
  assert.equal(surroundings.nodes, 1);
});

test("a node that is no member any more has left once it is not heard from", () => {
  const { peers, changes, hear, members, surroundings } = createPeers(["b:1", "c:1"]);
  peers.refresh(0);
  hear("b:1", 1_000);
  members.splice(0, 2);
  peers.refresh(2_000);
  assert.deepEqual(changes, ["c:1 left", "b:1 reachable"], "b is heard from, member or not");
  for (let now = 100_000; now <= 1_200_000; now += 100_000) peers.refresh(now);
  assert.deepEqual([changes.at(-1), surroundings.nodes], ["b:1 left", 1]);
});

test("a node that slept has heard nobody, and gives all as long as ever before it calls them away", () => {
  const { peers, changes, hear, surroundings } = createPeers(["b:1"]);
  peers.refresh(0);
  const b = hear("b:1", 1_000);
  peers.refresh(1_000);
  peers.refresh(30 * SECOND);
  assert.deepEqual(changes, ["b:1 reachable"]);
  assert.equal(surroundings.fresh, 1, "but its news is old");
  hear("b:1", 30 * SECOND + 500_000, b);
  peers.refresh(30 * SECOND + 500_000);
  peers.refresh(30 * SECOND + 900_000);
  assert.deepEqual([changes.length, surroundings.fresh], [1, 2]);
});

test("nodes of other regions are away later, and are told apart", () => {
  const { peers, changes, hear, states } = createPeers([]);
  peers.refresh(0);
  hear("b:1", 1_000);
  hear("us:1", 1_000, undefined, "us");
  hear("us:2", 1_000, undefined, "us");
  peers.refresh(1_000);
  assert.deepEqual(peers.near(), ["b:1"]);
  assert.deepEqual([...peers.far()], [["us", ["us:1", "us:2"]]]);
  assert.deepEqual(peers.instancesNear(), ["0000000000000001", "00000000000000aa"]);
  for (let now = 300_000; now <= 3 * SECOND; now += 300_000) peers.refresh(now);
  assert.deepEqual(states(3 * SECOND), ["us:1 reachable", "us:2 reachable"]);
  for (let now = 3 * SECOND; now <= 9 * SECOND; now += 300_000) peers.refresh(now);
  assert.equal(changes.filter((change) => change.endsWith("left")).length, 3);
});

test("an address of this node in the list is nobody, and is asked again after a minute", () => {
  const { peers, surroundings } = createPeers(["own:1", "vip:1"]);
  peers.refresh(0);
  assert.equal(surroundings.nodes, 2);
  peers.isMyself("vip:1", 0);
  peers.isMyself("own:1", 0);
  peers.isMyself("other:1", 0);
  peers.refresh(100_000);
  assert.equal(surroundings.nodes, 1);
  assert.deepEqual(peers.doubtful(59 * SECOND), []);
  assert.deepEqual(peers.doubtful(61 * SECOND), ["vip:1"]);
  assert.deepEqual(peers.doubtful(61 * SECOND), [], "once a minute");
  peers.refresh(61 * SECOND);
  assert.equal(surroundings.nodes, 1, "and meanwhile it is believed");
});

test("an address that was this node's is another's where another answers there", () => {
  const { peers, hear, states } = createPeers(["vip:1"]);
  peers.refresh(0);
  peers.isMyself("vip:1", 0);
  hear("b:1", 100_000);
  peers.answersAt("vip:1", "b:1");
  peers.refresh(100_000);
  assert.deepEqual(states(100_000), ["b:1 reachable"]);
  hear("vip:1", 200_000);
  peers.answersAt("vip:1", "vip:1");
  peers.refresh(200_000);
  assert.deepEqual(states(200_000), ["b:1 reachable", "vip:1 reachable"]);
});

test("a node that names itself otherwise than the list does is one node, until another answers there", () => {
  const { peers, changes, hear, states } = createPeers(["10.0.0.2:1"]);
  peers.refresh(0);
  hear("b:1", 1_000);
  peers.answersAt("10.0.0.2:1", "b:1");
  peers.refresh(1_000);
  assert.deepEqual(states(1_000), ["b:1 reachable"]);
  for (let now = 100_000; now <= 1_300_000; now += 100_000) peers.refresh(now);
  assert.deepEqual(states(1_300_000), ["10.0.0.2:1 away"], "it is asked there again");
  hear("c:1", 1_400_000);
  peers.answersAt("10.0.0.2:1", "c:1");
  peers.refresh(1_400_000);
  assert.deepEqual(states(1_400_000), ["c:1 reachable"]);
  assert.deepEqual(changes, [
    "10.0.0.2:1 left",
    "b:1 reachable",
    "b:1 left",
    "10.0.0.2:1 away",
    "10.0.0.2:1 left",
    "c:1 reachable",
  ]);
});

test("a message that another sends back does not make its address this node's", () => {
  const { peers, hear, states } = createPeers(["b:1"]);
  peers.refresh(0);
  hear("b:1", 1_000);
  peers.refresh(1_000);
  peers.isMyself("b:1", 2_000);
  peers.refresh(2_000);
  assert.deepEqual(states(2_000), ["b:1 reachable"]);
});

test("what a stranger sends again, here or to another, takes no node off the list that was heard of", () => {
  const { peers, hear, states } = createPeers(["b:1", "c:1"]);
  peers.refresh(0);
  hear("b:1", 1_000);
  const c = hear("c:1", 1_000);
  peers.refresh(1_000);
  peers.answersAt("b:1", "c:1");
  for (let now = 100_000; now <= 1_200_000; now += 100_000) {
    hear("c:1", now, c);
    peers.refresh(now);
  }
  peers.isMyself("b:1", 1_200_000);
  peers.answersAt("b:1", "c:1");
  peers.refresh(1_200_000);
  assert.deepEqual(states(1_200_000), ["b:1 away", "c:1 reachable"]);
});

test("an answer from where nobody was looked for makes no name", () => {
  const { peers, hear, states } = createPeers(["b:1"]);
  peers.refresh(0);
  hear("evil:1", 1_000);
  peers.answersAt("x:1", "evil:1");
  peers.answersAt("own:1", "evil:1");
  peers.refresh(1_000);
  assert.deepEqual(states(1_000), ["b:1 away", "evil:1 reachable"]);
});

test("what a node said that is gone for ten minutes is forgotten once it is of no use", () => {
  const { peers, hear, replica } = createPeers([]);
  peers.refresh(0);
  const b = hear("b:1", 1_000);
  for (let now = SECOND; now < 600 * SECOND; now += 60 * SECOND) peers.refresh(now);
  assert.ok(replica.find(b.instance) !== undefined);
  for (let now = 600 * SECOND; now < 603 * SECOND; now += 400_000) peers.refresh(now);
  assert.equal(replica.find(b.instance), undefined);
});

test("how old news is, by the oldest of those that are heard from", () => {
  const { peers, hear, surroundings } = createPeers(["away:1"]);
  hear("b:1", 100_000);
  hear("c:1", 300_000);
  peers.refresh(400_000);
  assert.equal(peers.lagUs(400_000), 300_000);
  assert.equal(surroundings.lagUs, 200_000);
  assert.equal(surroundings.certainAt, 100_000);
  assert.equal(surroundings.allCertainAt, Number.NEGATIVE_INFINITY);
});

test("until it was found out who is there all are believed to be", () => {
  const { peers, surroundings, hear, told } = createPeers(["b:1", "c:1"]);
  surroundings.hasJoined = false;
  peers.refresh(0);
  assert.deepEqual([surroundings.reachable, surroundings.fresh], [3, 3]);
  hear("b:1", 1_000);
  peers.refresh(1_000);
  assert.deepEqual([told[0]!.reachable, told[0]!.nodes], [2, 3], "and who asks is told who is");
});
