// Opens what a service gossips over, as its configuration says: how messages go, and who the others are.

import { hostname } from "node:os";
import type { Transport } from "tidegate";
import type { GossipConfiguration, PeersConfiguration } from "../configuration.ts";
import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "../telemetry/logger.ts";
import { watchDns } from "./dns-membership.ts";
import { startGrpcTransport } from "./grpc-transport.ts";
import { listMembership, type Membership } from "./membership.ts";
import {
  DEFAULT_PEERS_PORT,
  findOwnHost,
  formatPeerAddress,
  isAnyHost,
  parsePeerAddress,
} from "./peer-address.ts";
import type { LossReason } from "./peer-link.ts";

/** By how much a message of the library may be larger than it was told: its last register, and its signature. */
const SLACK_BYTES = 65_536;

/** What peers are opened with. */
export interface OpenPeersOptions {
  readonly timers: Timers;
  readonly logger: Logger;
  /** Is told of what the door refused, before the library saw it. */
  readonly refused: (reason: "malformed" | "too-large", bytes: number) => void;
  /** Is told of each message that did not arrive, as far as is known. */
  readonly lost: (reason: LossReason) => void;
}

/** What a service gossips over. */
export interface OpenedPeers {
  readonly transport: Transport;
  /** The port that is listened on; undefined where none is. */
  readonly port: number | undefined;
  /** Why nothing is heard of a node that is away, as far as that is known. */
  whyAway(address: string): string | undefined;
}

/** Of a node that is away and takes messages: it answers nobody, or with what is refused here. */
const UNBELIEVED =
  "messages arrive there, and nothing comes back that is believed: has it the same peers.secret?";

/**
 * Opens it; the library begins to receive.
 * @throws TidegateError INVALID_OPTION, field "peersPort", where the port cannot be had.
 */
export async function openPeers(
  { peers, maxMessageBytes }: GossipConfiguration,
  options: OpenPeersOptions,
): Promise<OpenedPeers> {
  const { timers, refused, lost } = options;
  if (peers.transport === "redis") return openRedis(peers, options);
  const { host, port, tls } = peers;
  const transport = await startGrpcTransport({
    ...{ host, port, tls, timers, refused, lost },
    maxMessageBytes: maxMessageBytes + SLACK_BYTES,
    addressOf: (bound) => ownAddress(peers, bound),
    findMembers: (address) => findMembers(peers, address, options),
  });
  const whyAway = (address: string) => {
    return transport.reasonOf(address) ?? (transport.reaches(address) ? UNBELIEVED : undefined);
  };
  return { transport, port: transport.port, whyAway };
}

/** Where others reach a node that listens on `port`. */
function ownAddress({ advertise, host }: PeersConfiguration, port: number): string {
  const told = advertise === undefined ? undefined : parsePeerAddress(advertise, port);
  const own = isAnyHost(host) ? findOwnHost(hostname()) : host;
  return formatPeerAddress(told ?? { host: own, port });
}

async function findMembers(
  { members, dns, redis }: PeersConfiguration,
  address: string,
  { timers, logger }: OpenPeersOptions,
): Promise<Membership> {
  if (members !== undefined) return listMembership(members);
  if (dns !== undefined) {
    return watchDns({ name: parsePeerAddress(dns, DEFAULT_PEERS_PORT)!, timers, logger });
  }
  const { redisRegistry } = await import("tidegate/redis");
  const registry = redisRegistry({ url: redis!, address, changed: await told(redis!, logger) });
  await registry.open();
  return registry;
}

async function openRedis(
  { redis, advertise }: PeersConfiguration,
  { logger, lost }: OpenPeersOptions,
): Promise<OpenedPeers> {
  const { redisTransport } = await import("tidegate/redis");
  const transport = redisTransport({
    url: redis!,
    changed: await told(redis!, logger),
    lost,
    ...(advertise === undefined ? {} : { address: advertise }),
  });
  return { transport, port: undefined, whyAway: () => undefined };
}

/** Logs that the Redis of the peers is away, and that it is back. */
async function told(url: string, logger: Logger): Promise<(reason: Error | undefined) => void> {
  const { redactRedisUrl } = await import("tidegate/redis");
  const redis = redactRedisUrl(url);
  return (reason) => {
    if (reason === undefined) logger.info({ redis }, "the peers' Redis answers again");
    else {
      const fields = { redis, reason: reason.message };
      logger.warn(fields, "the peers' Redis does not answer: the last members stand");
    }
  };
}
