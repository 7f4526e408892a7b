// Nodes of a cluster for tests: transports on free ports of the loopback that keep what they are told.

import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { GossipConfiguration, PeersConfiguration } from "../../src/configuration.ts";
import { type GrpcTransport, startGrpcTransport } from "../../src/peers/grpc-transport.ts";
import { listMembership } from "../../src/peers/membership.ts";
import type { PeerTls } from "../../src/peers/peer-tls.ts";
import { systemTimers, type Timers } from "../../src/runtime/timers.ts";

const fixture = (name: string) => {
  return readFileSync(new URL(`../../../../test/fixtures/tls/${name}`, import.meta.url), "utf8");
};

/** A certificate that the cluster's authority signed, for 127.0.0.1 and node.tidegate.test. */
export const NODE_TLS: PeerTls = {
  cert: fixture("nodes/certificate.pem"),
  key: fixture("nodes/key.pem"),
  ca: fixture("nodes/ca.pem"),
};

/** A certificate that signs itself. */
export const STRANGER_TLS: PeerTls = {
  cert: fixture("certificate.pem"),
  key: fixture("key.pem"),
  ca: fixture("nodes/ca.pem"),
};

/** A transport, and what it was told. */
export interface TestNode {
  readonly transport: GrpcTransport;
  readonly received: string[];
  readonly refused: string[];
  readonly lost: string[];
}

/** What of a node is not as always. */
export interface TestNodeOptions {
  readonly port?: number;
  readonly maxMessageBytes?: number;
  readonly tls?: PeerTls;
  readonly timers?: Timers;
  readonly members?: readonly string[];
  /** Left out: it is opened at once. */
  readonly shut?: boolean;
}

/** Starts one, and closes it after the test. */
export async function startNode(
  context: Pick<TestContext, "after">,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  const { port = 0, maxMessageBytes = 262_144, timers = systemTimers, members = [] } = options;
  const received: string[] = [];
  const refused: string[] = [];
  const lost: string[] = [];
  const transport = await startGrpcTransport({
    host: "127.0.0.1",
    port,
    addressOf: (bound) => `127.0.0.1:${bound}`,
    findMembers: () => listMembership(members),
    maxMessageBytes,
    tls: options.tls,
    timers,
    refused: (reason) => refused.push(reason),
    lost: (reason) => lost.push(reason),
  });
  if (options.shut !== true) {
    await transport.open((message) => received.push(Buffer.from(message).toString()));
  }
  context.after(() => transport.close());
  return { transport, received, refused, lost };
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A configuration of gossip on a free port of the loopback, with these peers. */
export function gossipWith(peers: Partial<PeersConfiguration>): { gossip: GossipConfiguration } {
  return {
    gossip: {
      intervalMs: 50,
      fanout: 2,
      regionIntervalMs: 1_000,
      maxMessageBytes: 262_144,
      peers: {
        transport: "grpc",
        host: "127.0.0.1",
        port: 0,
        secret: "the secret of these tests",
        ...peers,
      },
    },
  };
}
