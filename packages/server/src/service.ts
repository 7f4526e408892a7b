// Puts a service together from its configuration: one limiter behind an HTTP, a gRPC and an admin port, and takes it
// apart again without losing a call. It starts whether or not its store answers yet.

import { createLimiter, type Limiter, type Store } from "tidegate";
import { type AdminServer, startAdminServer } from "./admin/admin-server.ts";
import type { Configuration } from "./configuration.ts";
import { type GrpcServer, startGrpcServer } from "./grpc/grpc-server.ts";
import type { RateLimiterServiceOptions } from "./grpc/rate-limiter-service.ts";
import { type HttpServer, startHttpServer } from "./http/http-server.ts";
import { openGossip, type ServiceGossip } from "./peers/service-gossip.ts";
import { createReadiness, type Readiness } from "./readiness.ts";
import { systemTimers, type Timers } from "./runtime/timers.ts";
import { type CircuitLog, createCircuitLog } from "./telemetry/circuit-log.ts";
import { ROTATE_EVERY_MS } from "./telemetry/distinct-keys.ts";
import { createFaultLog } from "./telemetry/fault-log.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { type PolicyFacts, ServiceTelemetry } from "./telemetry/service-telemetry.ts";
import { StoreCircuits } from "./telemetry/store-circuits.ts";
import { type StoreState, type StoreWatch, watchStore } from "./telemetry/store-watch.ts";

/** Where a port listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A service that runs. */
export interface Service {
  readonly addresses: {
    readonly http: Address;
    readonly grpc: Address;
    readonly admin: Address;
    /** Of a service whose policies gossip, over gRPC. */
    readonly peers?: Address;
  };
  /**
   * Resolves to whether it should be sent requests: as soon as it knows whether the store answers and what other nodes
   * counted, until it drains.
   */
  ready(): Promise<boolean>;
  /** Resolves to whether the store answers now; where it does not, policies do. */
  storeAnswers(): Promise<boolean>;
  /**
   * Stops: readiness goes false, no new connections are taken, calls in flight finish, for `drainTimeoutMs` at most;
   * then all is closed. Further calls join the first.
   */
  drain(): Promise<void>;
}

/** What a service is given instead of its own, by tests and by who embeds it. */
export interface ServicePorts {
  readonly logger?: Logger;
  readonly timers?: Timers;
  /** Instead of the store that the configuration names. */
  readonly store?: Store;
}

/** How long the limiter may take to close after calls in flight were cut off. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Starts a service.
 * @throws TidegateError INVALID_OPTION for a configuration that is wrong, or a port that cannot be listened on.
 */
export async function startService(
  configuration: Configuration,
  ports: ServicePorts = {},
): Promise<Service> {
  const logger = ports.logger ?? createLogger(configuration.logLevel);
  const timers = ports.timers ?? systemTimers;
  const { store, name } =
    ports.store === undefined
      ? await openStore(configuration.store)
      : { store: ports.store, name: "the store" };
  const { gossip: wanted } = configuration;
  const gossip = wanted === undefined ? undefined : await openGossip(wanted, timers, logger);
  const circuitLog = createCircuitLog(logger, timers, name);
  const circuits = new StoreCircuits(timers, (change) => {
    circuitLog.changed(change);
    // What is said of the store is not to lag behind.
    if (change.state === "closed") watch.check();
  });
  // The nodes of a Cluster are not known before they are asked.
  if (store?.shared === true && store.nodeOf === undefined) circuits.expect("");
  const telemetry = new ServiceTelemetry(factsOf(configuration, store), circuits, gossip);
  const limiter = await openLimiter(configuration, store, telemetry, gossip);
  const joined = gossip?.joined(() => limiter.ping()) ?? Promise.resolve();
  const unexpected = createFaultLog(logger, timers);
  const showHealth = () => parts.grpc?.setServing(readiness.check().ready);
  const watch = watchStore({
    ping: () => pingStore(limiter, store, gossip),
    timers,
    changed(state, cause) {
      logStoreState(logger, state, cause);
      showHealth();
    },
  });
  const readiness = createReadiness(watch, circuits, gossip);
  joined.then(() => {
    if (gossip?.hasJoined === true) logJoined(logger, gossip);
    showHealth();
  });
  const stopRotating = timers.every(ROTATE_EVERY_MS, () => telemetry.keys.rotate());
  const parts: Parts = { limiter, watch, readiness, circuitLog, gossip, stopRotating };
  const shared = { host: configuration.host, limiter, telemetry, timers, readiness, unexpected };
  let addresses: Service["addresses"];
  try {
    addresses = await openDoors(parts, shared, configuration);
  } catch (error) {
    await closeAll(parts, timers);
    throw error;
  }
  readiness.opened();
  showHealth();
  logger.info({ addresses, policies: Object.keys(configuration.policies) }, "started");
  let drained: Promise<void> | undefined;
  return {
    addresses,
    async ready() {
      if (watch.state === "unknown") await watch.check();
      await joined;
      return readiness.check().ready;
    },
    storeAnswers: () => watch.check(),
    drain() {
      drained ??= drain(parts, configuration.drainTimeoutMs, timers, logger);
      return drained;
    },
  };
}

async function openDoors(
  parts: Parts,
  shared: RateLimiterServiceOptions & { readonly host: string; readonly readiness: Readiness },
  configuration: Configuration,
): Promise<Service["addresses"]> {
  const { host } = shared;
  parts.grpc = await startGrpcServer({ ...shared, port: configuration.grpcPort });
  parts.http = await startHttpServer({ ...shared, port: configuration.httpPort });
  parts.admin = await startAdminServer({ ...shared, port: configuration.adminPort });
  return {
    http: { host, port: parts.http.port },
    grpc: { host, port: parts.grpc.port },
    admin: { host, port: parts.admin.port },
    ...peersAddress(configuration, parts.gossip),
  };
}

function peersAddress({ gossip: wanted }: Configuration, gossip: ServiceGossip | undefined) {
  if (wanted === undefined || gossip?.port === undefined) return {};
  return { peers: { host: wanted.peers.host, port: gossip.port } };
}

/** The limiter's own ping waits for a node to join, which is no matter of the store. */
async function pingStore(
  limiter: Limiter,
  store: Store | undefined,
  gossip: ServiceGossip | undefined,
): Promise<void> {
  if (gossip === undefined || gossip.hasJoined) await limiter.ping();
  else await store?.ping();
}

function logJoined(logger: Logger, gossip: ServiceGossip): void {
  const { address, region, reachable, nodes } = gossip.show();
  const fields = { address, ...(region === "" ? {} : { region }), reachable, nodes };
  if (reachable > 1 || nodes === 1)
    logger.info(fields, "joined: this node knows what the others counted");
  else logger.warn(fields, "joined nobody: this node counts alone until it hears of another");
}

/** What is counted of each policy: as a rule memory answers for it where nodes decide alone, a lease, or the store. */
function factsOf(
  configuration: Configuration,
  store: Store | undefined,
): Record<string, PolicyFacts> {
  const shared = store?.shared === true;
  const standard = configuration.coordination ?? (shared ? "central" : "local");
  return Object.fromEntries(
    Object.entries(configuration.policies).map(([name, policy]) => {
      const { coordination = standard, limits, overrides = [], shadow = false } = policy;
      const { onStoreFailure = "allow", maxOvershoot = 0 } = policy;
      const all = [...limits, ...overrides.flatMap((override) => override.limits ?? [])];
      const facts: PolicyFacts = {
        source: SOURCES[coordination],
        soft: all.some((limit) => limit.soft),
        shadow,
        onStoreFailure,
        lends: maxOvershoot > 0,
      };
      return [name, facts];
    }),
  );
}

/** Who answers as a rule. */
const SOURCES = { local: "local", central: "store", hybrid: "lease", gossip: "local" } as const;

/** What is open; the doors come one after the other. */
interface Parts {
  readonly limiter: Limiter;
  readonly watch: StoreWatch;
  readonly readiness: Readiness;
  readonly circuitLog: CircuitLog;
  readonly gossip: ServiceGossip | undefined;
  readonly stopRotating: () => void;
  grpc?: GrpcServer;
  http?: HttpServer;
  admin?: AdminServer;
}

async function openLimiter(
  configuration: Configuration,
  store: Store | undefined,
  telemetry: ServiceTelemetry,
  gossip: ServiceGossip | undefined,
): Promise<Limiter> {
  const { policies, coordination, defaultPolicy, expectedNodes, region } = configuration;
  const options = {
    policies,
    telemetry,
    ...(store === undefined ? {} : { store }),
    ...(coordination === undefined ? {} : { coordination }),
    ...(defaultPolicy === undefined ? {} : { defaultPolicy }),
    ...(expectedNodes === undefined ? {} : { expectedNodes }),
    ...(region === undefined ? {} : { region }),
    ...(gossip === undefined ? {} : { gossip: gossip.options }),
  };
  try {
    return createLimiter(options);
  } catch (error) {
    await gossip?.options.transport.close();
    throw error;
  }
}

/** Opens a shared store, and names it without its password; undefined is memory, which the limiter makes for itself. */
async function openStore(url: string): Promise<{ store: Store | undefined; name: string }> {
  if (url === "memory") return { store: undefined, name: url };
  const { redactRedisUrl, redisStore } = await import("tidegate/redis");
  return { store: redisStore({ url }), name: redactRedisUrl(url) };
}

async function drain(
  parts: Parts,
  timeoutMs: number,
  timers: Timers,
  logger: Logger,
): Promise<void> {
  logger.info({ timeoutMs }, "draining");
  parts.readiness.startDraining();
  parts.grpc?.setServing(false);
  const finished = await within(
    timeoutMs,
    timers,
    Promise.all([parts.grpc?.drain(timeoutMs), parts.http?.drain(timeoutMs)]),
  );
  if (!finished) logger.warn({ timeoutMs }, "calls in flight were cut off");
  await closeAll(parts, timers);
  logger.info({ clean: finished }, "stopped");
}

async function closeAll(parts: Parts, timers: Timers): Promise<void> {
  parts.watch.stop();
  parts.circuitLog.stop();
  parts.gossip?.stop();
  parts.stopRotating();
  await Promise.all([parts.http?.close(), parts.grpc?.drain(0)]);
  // A store that hangs must not keep the process from ending.
  await within(CLOSE_TIMEOUT_MS, timers, parts.limiter.close());
  await parts.admin?.close();
}

/** Waits for `work`, and resolves to false where it is not done within `ms`. */
function within(ms: number, timers: Timers, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = timers.after(ms, () => resolve(false));
    const done = () => {
      cancel();
      resolve(true);
    };
    work.then(done, done);
  });
}

function logStoreState(logger: Logger, state: StoreState, cause: unknown): void {
  if (state === "reachable") logger.info({ store: state }, "the store answers");
  else {
    const reason = cause instanceof Error ? cause.message : String(cause);
    logger.warn({ store: state, reason }, "the store does not answer");
  }
}
