// The gossip of a service: what it goes over, what is counted and logged of it, and how it is shown.

import type { GossipOptions, GossipStatus, PeerChange, PeerState } from "tidegate";
import type { GossipConfiguration } from "../configuration.ts";
import type { Timers } from "../runtime/timers.ts";
import { GossipCounts } from "../telemetry/gossip-counts.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createPeersLog } from "../telemetry/peers-log.ts";
import { type OpenedPeers, openPeers } from "./open-peers.ts";
import { PeerTimes } from "./peer-times.ts";

/** How often it is looked whether the node has joined, where a store that is away keeps the limiter from saying so. */
const LOOK_EVERY_MS = 1_000;

/** Another node, as /readyz shows it. */
export interface ShownPeer {
  readonly address: string;
  readonly region: string;
  readonly state: PeerState;
  /** Since when it is so. ISO 8601. */
  readonly since: string;
  /** Age of what is known of it; null where nothing is. */
  readonly lagMs: number | null;
  /** Of one that is away: why nothing is heard of it, as far as that is known. */
  readonly reason?: string;
}

/** How the gossip stands, as /readyz shows it. */
export interface ShownGossip {
  /** Whether this node knows what the others counted. */
  readonly joined: boolean;
  readonly address: string;
  readonly region: string;
  /** Nodes that this one hears of, itself included, and all that there should be. */
  readonly reachable: number;
  readonly nodes: number;
  readonly lagMs: number;
  readonly peers: readonly ShownPeer[];
}

/** The gossip of a service. */
export interface ServiceGossip {
  /** For the limiter. */
  readonly options: GossipOptions;
  readonly counts: GossipCounts;
  /** Where gRPC listens; undefined where nodes talk through Redis. */
  readonly port: number | undefined;
  /** Is told of each change of another node. */
  changed(change: PeerChange): void;
  /** Whether the node knows what the others counted, or that there are none. */
  readonly hasJoined: boolean;
  /**
   * Resolves once it does, or is stopped; to be asked once.
   * @param ping the limiter's, which waits for that.
   */
  joined(ping: () => Promise<void>): Promise<void>;
  /** Looks at every key, so it is for those who ask now and then. */
  show(): ShownGossip;
  /** Looks no more whether it has joined. */
  stop(): void;
}

/**
 * Opens the gossip of a service.
 * @throws TidegateError INVALID_OPTION, field "peersPort", where the port cannot be had.
 */
export async function openGossip(
  configuration: GossipConfiguration,
  timers: Timers,
  logger: Logger,
): Promise<ServiceGossip> {
  let peers: OpenedPeers | undefined;
  const log = createPeersLog(logger, timers, (address) => peers?.whyAway(address));
  const counts = new GossipCounts(log.refused);
  peers = await openPeers(configuration, {
    timers,
    logger,
    refused: (reason, bytes) => counts.gossiped({ direction: "refused", bytes, reason }),
    lost: (reason) => counts.losing(reason),
  });
  const { transport, port, whyAway } = peers;
  const { intervalMs, fanout, regionIntervalMs, maxMessageBytes } = configuration;
  const { secret } = configuration.peers;
  const signed = secret === undefined ? {} : { secret };
  const times = new PeerTimes(timers);
  let ended = (): void => undefined;
  let hasJoined = false;
  return {
    options: {
      ...{ transport, fanout, maxMessageBytes, ...signed },
      interval: intervalMs,
      regionInterval: regionIntervalMs,
    },
    counts,
    port,
    changed: log.changed,
    get hasJoined() {
      return hasJoined;
    },
    joined(ping) {
      return new Promise((resolve) => {
        const look = () => {
          hasJoined = counts.status()?.joined === true;
          if (hasJoined) ended();
        };
        const stopLooking = timers.every(LOOK_EVERY_MS, look);
        ended = () => {
          stopLooking();
          resolve();
        };
        ping().then(look, () => undefined);
      });
    },
    show() {
      const status = counts.status();
      if (status !== undefined) return show(status, times, whyAway);
      const { address } = transport;
      return { joined: false, address, region: "", reachable: 1, nodes: 1, lagMs: 0, peers: [] };
    },
    stop: () => ended(),
  };
}

function show(
  { joined, address, region, lagMs, peers }: GossipStatus,
  times: PeerTimes,
  whyAway: OpenedPeers["whyAway"],
): ShownGossip {
  const timestamps = times.timestamps(peers);
  const shown = peers.map((peer, index): ShownPeer => {
    const reason = joined && peer.state === "away" ? whyAway(peer.address) : undefined;
    return {
      ...{ address: peer.address, region: peer.region, state: peer.state },
      since: timestamps[index]!,
      lagMs: peer.lagMs ?? null,
      ...(reason === undefined ? {} : { reason }),
    };
  });
  const reachable = 1 + peers.filter(({ state }) => state === "reachable").length;
  return { joined, address, region, reachable, nodes: 1 + peers.length, lagMs, peers: shown };
}
