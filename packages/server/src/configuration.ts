// What a service is started with, read and checked: the one type that the configuration file, the environment and
// the command line are turned into.

import type { CoordinationName, PolicyOptions } from "tidegate";
import type { PeerTls } from "./peers/peer-tls.ts";

/** How much is logged; "silent" is nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** How services that gossip find and reach each other, complete. */
export interface PeersConfiguration {
  /** Directly, over gRPC; or through the pub/sub of the Redis that is their registry. */
  readonly transport: "grpc" | "redis";
  /** Where gRPC listens. */
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Where others reach this node, with or without a port; left out, as `host` says, or as the machine is called. */
  readonly advertise?: string;
  /** Which nodes there are: a list, a name of DNS with their port, or a Redis where they say so; exactly one of it. */
  readonly members?: readonly string[];
  readonly dns?: string;
  readonly redis?: string;
  /** What all nodes know: at least 16 characters. Left out only with `tls`. */
  readonly secret?: string;
  /** Mutual TLS between nodes. */
  readonly tls?: PeerTls;
}

/** How policies with coordination "gossip" are counted, complete. */
export interface GossipConfiguration {
  readonly intervalMs: number;
  readonly fanout: number;
  readonly regionIntervalMs: number;
  readonly maxMessageBytes: number;
  readonly peers: PeersConfiguration;
}

/** A service's configuration, complete: every default is filled in. */
export interface Configuration {
  /** Address that all ports listen on; "127.0.0.1" by default. */
  readonly host: string;
  /** Ports; 0 takes any free one. */
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** "memory", or the address of a Redis: redis://, rediss://, redis+cluster://, redis+sentinel://. */
  readonly store: string;
  /** Left out: "local" with memory, "central" with Redis. */
  readonly coordination?: CoordinationName;
  /** Their limits made by the library's factories, such as tokenBucket(). */
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  /** The policy of requests that name none; left out, they are refused. */
  readonly defaultPolicy?: string;
  /**
   * How many nodes share the store, until the store has said: a policy whose `onStoreFailure` is "local" divides its
   * limits by it. Left out: 1.
   */
  readonly expectedNodes?: number;
  /** Where this node stands: whose part of the limits it enforces where policies have `regions`; left out: "". */
  readonly region?: string;
  /** There exactly where a policy's coordination is "gossip". */
  readonly gossip?: GossipConfiguration;
  readonly logLevel: LogLevel;
  /** Milliseconds that a drain waits for calls in flight; 10,000 by default. */
  readonly drainTimeoutMs: number;
}
