// Since when a node is as it is does not change before the node does, and changes then.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "tidegate";
import { PeerTimes } from "../../src/peers/peer-times.ts";
import { createManualTimers } from "../service-support.ts";

test("ages that are rounded either way are of one instant", () => {
  const timers = createManualTimers();
  const times = new PeerTimes(timers);
  const peerOf = (address: string, state: Peer["state"], sinceMs: number): Peer => {
    return { address, state, sinceMs, instance: "", region: "", lagMs: 0 };
  };
  const say = (...peers: readonly Peer[]) => times.timestamps(peers);
  const noon = "2027-01-31T12:00:00.000Z";
  timers.advance(5_000);
  assert.deepEqual(say(peerOf("a", "reachable", 5_000)), [noon]);
  timers.advance(1_000);
  assert.deepEqual(say(peerOf("a", "reachable", 6_001)), [noon]);
  timers.advance(1_000);
  const later = "2027-01-31T12:00:06.500Z";
  assert.deepEqual(say(peerOf("b", "away", 500), peerOf("a", "reachable", 6_999)), [later, noon]);
  assert.deepEqual(say(peerOf("a", "away", 500)), [later], "another state");
  timers.advance(3_000);
  assert.deepEqual(say(peerOf("a", "away", 1_000)), ["2027-01-31T12:00:09.000Z"], "and back again");
  assert.deepEqual(say(), []);
  assert.deepEqual(say(peerOf("a", "away", 1_001)), ["2027-01-31T12:00:08.999Z"], "it was gone");
});
