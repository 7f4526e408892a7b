// The simulated network between nodes: what is lost, repeated, overtakes and is cut off, and that it is counted.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Partition,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
  SimulatedTransport,
  VirtualTime,
} from "tidegate/simulation";

type Options = Omit<SimulatedNetworkOptions, "time">;

/** Nodes that note what they receive: the number in its first byte, and when. */
function createNodes(count: number, options: Options = {}) {
  const time = new VirtualTime(0);
  const network = new SimulatedNetwork({ latencyMs: 1, jitterMs: 0, ...options, time });
  const addresses = Array.from({ length: count }, (_, node) => `node-${node + 1}`);
  const nodes = addresses.map((address, node) => {
    const members = () => addresses;
    const transport = new SimulatedTransport({ network, node, address, members });
    const received: { readonly message: number; readonly atUs: number }[] = [];
    transport.open((message) => received.push({ message: message[0]!, atUs: time.nowUs }));
    const send = (to: number, message: number) => {
      transport.send(addresses[to]!, Uint8Array.of(message, 0, 0));
    };
    return { transport, received, send };
  });
  return { time, network, nodes };
}

const SECOND_US = 1_000_000;

test("a message takes its time, and is what it was when it was sent", async () => {
  const { time, network, nodes } = createNodes(2);
  const bytes = Uint8Array.of(7);
  nodes[0]!.transport.send("node-2", bytes);
  bytes[0] = 9;
  await time.runUntil(SECOND_US);
  assert.deepEqual(nodes[1]!.received, [{ message: 7, atUs: 1_000 }]);
  assert.deepEqual(nodes[0]!.received, []);
  assert.deepEqual(nodes[0]!.transport.members(), ["node-1", "node-2"]);
  assert.deepEqual(network.messages, { sent: 1, sentBytes: 1, arrived: 1, arrivedBytes: 1 });
});

test("so many are lost, and so many arrive twice, as is said", async () => {
  const { time, network, nodes } = createNodes(2, { loss: 0.2, duplication: 0.1 });
  for (let turn = 0; turn < 10_000; turn += 1) nodes[0]!.send(1, 1);
  await time.runUntil(SECOND_US);
  const { sent, sentBytes, arrived, arrivedBytes } = network.messages;
  assert.deepEqual([sent, sentBytes, arrivedBytes], [10_000, 30_000, 3 * arrived]);
  assert.ok(Math.abs(arrived - 0.8 * 1.1 * 10_000) < 200, `${arrived} of 10,000`);
  assert.equal(nodes[1]!.received.length, arrived);
});

test("those that are held back are overtaken, and no others", async () => {
  const overtakes = async (options: Options) => {
    const { time, nodes } = createNodes(2, options);
    for (let turn = 0; turn < 200; turn += 1) {
      nodes[0]!.send(1, turn);
      await time.runUntil(time.nowUs + 1_000);
    }
    await time.runUntil(SECOND_US);
    const order = nodes[1]!.received.map(({ message }) => message);
    assert.equal(order.length, 200);
    return order.filter((message, index) => message < (order[index - 1] ?? 0)).length;
  };
  assert.equal(await overtakes({}), 0);
  assert.ok((await overtakes({ reordering: 0.1, reorderingMs: 50 })) > 10);
  assert.ok((await overtakes({ jitterMs: 5 })) > 10, "jitter alone does it as well");
});

const HALVES: readonly (number | undefined)[] = [0, 0, 1, undefined];
for (const [lost, blocked] of [
  ["both", ["1>3", "2>3", "3>1", "3>2"]],
  ["forward", ["1>3", "2>3"]],
  ["back", ["3>1", "3>2"]],
] as const) {
  test(`a partition, ${lost}: what does not arrive, and that it does when it is healed`, async () => {
    const { time, network, nodes } = createNodes(4);
    const partition: Partition = { sideOf: HALVES, storeSide: 1, lost };
    const missing = async () => {
      for (const node of nodes) node.received.length = 0;
      for (const [from, node] of nodes.entries()) {
        for (const to of nodes.keys()) node.send(to, from);
      }
      await time.runUntil(time.nowUs + SECOND_US);
      return nodes.flatMap((_, from) => {
        return nodes.flatMap(({ received }, to) => {
          return received.some(({ message }) => message === from) ? [] : `${from + 1}>${to + 1}`;
        });
      });
    };
    network.partitions.add(partition);
    assert.deepEqual(await missing(), blocked);
    const isCut = (node: number, direction: "questions" | "answers") => {
      return network.travelUs(node, direction) === undefined;
    };
    assert.deepEqual([isCut(0, "questions"), isCut(2, "questions")], [lost !== "back", false]);
    assert.deepEqual([isCut(0, "answers"), isCut(3, "answers")], [lost !== "forward", false]);
    network.partitions.delete(partition);
    assert.deepEqual(await missing(), []);
  });
}

test("from one region to another it takes longer, and to the store in the first as well", async () => {
  const regions = ["eu", "eu", "us"];
  const betweenRegions = { latencyMs: 80, jitterMs: 0 };
  const { time, network, nodes } = createNodes(3, { regions, betweenRegions, jitterMs: 0 });
  for (const node of [1, 2]) nodes[0]!.send(node, 1);
  await time.runUntil(SECOND_US);
  assert.equal(nodes[1]!.received[0]!.atUs, 1_000);
  assert.equal(nodes[2]!.received[0]!.atUs, 80_000);
  assert.equal(network.travelUs(1, "questions"), 1_000);
  assert.equal(network.travelUs(2, "questions"), 80_000);
});

test("what is sent to a node that is closed, or was never there, is lost", async () => {
  const { time, network, nodes } = createNodes(2);
  nodes[0]!.send(1, 1);
  nodes[1]!.transport.close();
  nodes[0]!.send(1, 2);
  nodes[0]!.transport.send("nobody", Uint8Array.of(3));
  await time.runUntil(SECOND_US);
  assert.deepEqual(nodes[1]!.received, []);
  assert.deepEqual(network.messages, { sent: 3, sentBytes: 7, arrived: 0, arrivedBytes: 0 });
});

test("a node that is away takes what arrived when it is back", async () => {
  const time = new VirtualTime(0);
  const network = new SimulatedNetwork({ time });
  const waiting: (() => void)[] = [];
  const received: number[] = [];
  const open = (node: number, run: (work: () => void) => void) => {
    const address = `node-${node}`;
    const transport = new SimulatedTransport({ network, node, address, members: () => [], run });
    transport.open((message) => received.push(message[0]!));
    return transport;
  };
  const sender = open(0, (work) => work());
  open(1, (work) => waiting.push(work));
  sender.send("node-1", Uint8Array.of(5));
  await time.runUntil(SECOND_US);
  assert.deepEqual(received, []);
  for (const work of waiting) work();
  assert.deepEqual(received, [5]);
});

test("the same seed gives the same network, and a cut changes no message of others", async () => {
  const run = async (seed: number, isCut: boolean) => {
    const { time, network, nodes } = createNodes(3, { seed, jitterMs: 2, loss: 0.1 });
    if (isCut) network.partitions.add({ sideOf: [0, 1], storeSide: undefined, lost: "both" });
    for (let turn = 0; turn < 50; turn += 1) {
      for (const to of [1, 2]) nodes[0]!.send(to, turn);
    }
    await time.runUntil(SECOND_US);
    return nodes[2]!.received;
  };
  const first = await run(1, false);
  assert.deepEqual(await run(1, false), first);
  assert.deepEqual(await run(1, true), first);
  assert.notDeepEqual(await run(2, false), first);
});
