// Carries the gossip from service to service over gRPC: a server for what comes, a link to each node written to.

import type { Transport } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { Membership } from "./membership.ts";
import { DEFAULT_PEERS_PORT, parsePeerAddress } from "./peer-address.ts";
import { type LossReason, PeerLink } from "./peer-link.ts";
import { type PeerServerOptions, startPeerServer } from "./peer-server.ts";
import type { PeerTls } from "./peer-tls.ts";

/** Nodes that are written to at a time, at most. */
export const MAX_LINKS = 1_024;
/** How often links are looked through for nodes that are gone. */
const SWEEP_MS = 30_000;
/** What has been sent may take so long to arrive before a transport closes. */
const FLUSH_MS = 800;

/** What a transport is made of. */
export interface GrpcTransportOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Where others reach this node, given the port that is listened on. */
  readonly addressOf: (port: number) => string;
  /** Finds out which nodes there are, given where others reach this one. */
  readonly findMembers: (address: string) => Membership | Promise<Membership>;
  readonly maxMessageBytes: number;
  readonly tls?: PeerTls | undefined;
  readonly timers: Pick<Timers, "now" | "after" | "every" | "afterTurn">;
  /** Is told of what the door refused. */
  readonly refused: PeerServerOptions["refused"];
  /** Is told of each message that did not arrive, as far as is known. */
  readonly lost: (reason: LossReason) => void;
}

/** A transport that listens. Before `open` it answers that it is starting. */
export interface GrpcTransport extends Transport {
  readonly port: number;
  /** Why the last message to a node was given up; undefined where it arrived, or none was sent. */
  reasonOf(address: string): string | undefined;
  /** Whether a node was written to, and nothing is known to keep it from what was. */
  reaches(address: string): boolean;
}

/**
 * Listens for messages.
 * @throws TidegateError INVALID_OPTION, field "peersPort", where the port cannot be had.
 */
export async function startGrpcTransport(options: GrpcTransportOptions): Promise<GrpcTransport> {
  const { host, port, tls, maxMessageBytes, findMembers, timers, refused, lost } = options;
  let receive: ((message: Uint8Array) => void) | undefined;
  const server = await startPeerServer({
    ...{ host, port, tls, maxMessageBytes, refused },
    receive(message) {
      receive?.(message);
      return receive !== undefined;
    },
  });
  const address = options.addressOf(server.port);
  const membership = await findMembers(address);
  const links = new PeerLinks({ tls, timers, lost });
  const stopSweeping = timers.every(SWEEP_MS, () => links.sweep(membership.members()));
  let closing: Promise<void> | undefined;
  const close = async () => {
    stopSweeping();
    await Promise.all([links.flush(FLUSH_MS), membership.close()]);
    receive = undefined;
    links.close();
    await server.close();
  };
  return {
    port: server.port,
    address,
    open(taker) {
      receive = taker;
    },
    send(address, message) {
      if (message.length > maxMessageBytes) lost("too-large");
      else links.send(address, message);
    },
    members: () => membership.members(),
    reasonOf: (address) => links.reasonOf(address),
    reaches: (address) => links.reaches(address),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The links of a transport, by address; that which was written to last is last. */
class PeerLinks {
  readonly #links = new Map<string, PeerLink>();
  /** Addresses that were written to since the last sweep. */
  #used = new Set<string>();
  #closed = false;
  readonly #options: Pick<GrpcTransportOptions, "tls" | "timers" | "lost">;

  constructor(options: Pick<GrpcTransportOptions, "tls" | "timers" | "lost">) {
    this.#options = options;
  }

  send(address: string, message: Uint8Array): void {
    const link = this.#linkTo(address);
    if (link === undefined) this.#options.lost("unreachable");
    else link.send(message);
  }

  reasonOf(address: string): string | undefined {
    return this.#links.get(address)?.reason;
  }

  reaches(address: string): boolean {
    return this.#links.has(address) && this.reasonOf(address) === undefined;
  }

  /** Closes links to nodes that are no members, and were not written to for a while. */
  sweep(members: readonly string[]): void {
    const wanted = new Set(members);
    for (const [address, link] of this.#links) {
      if (wanted.has(address) || this.#used.has(address)) continue;
      link.close();
      this.#links.delete(address);
    }
    this.#used = new Set();
  }

  /** Resolves when what was sent has arrived, and no later than after `ms`. */
  flush(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(ms, resolve);
      const idle = Array.from(this.#links.values(), (link) => link.idle());
      Promise.all(idle).then(() => {
        cancel();
        resolve();
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #linkTo(address: string): PeerLink | undefined {
    let link = this.#links.get(address);
    if (link === undefined) {
      const { tls, timers, lost } = this.#options;
      // What a message says of where its sender is may be anything.
      const parsed = parsePeerAddress(address, DEFAULT_PEERS_PORT);
      if (parsed === undefined || this.#closed) return undefined;
      if (this.#links.size >= MAX_LINKS) this.#forgetOldest();
      link = new PeerLink({ address: parsed, tls, timers, lost });
    } else {
      this.#links.delete(address);
    }
    this.#links.set(address, link);
    this.#used.add(address);
    return link;
  }

  #forgetOldest(): void {
    const [oldest] = this.#links;
    oldest![1].close();
    this.#links.delete(oldest![0]);
  }
}
