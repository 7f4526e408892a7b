// Puts policies, coordination, store and calls together into a Limiter.

import type { CallContext } from "./calls/call-context.ts";
import { createCheckEvery } from "./calls/check-every.ts";
import { createChecks } from "./calls/checks.ts";
import { createPermits } from "./calls/permits.ts";
import { checkCoordination, PolicyEntries } from "./calls/policy-entries.ts";
import { createReservations } from "./calls/reservations.ts";
import { createSchedule } from "./calls/schedule.ts";
import { createCentral } from "./coordination/central.ts";
import type { Coordination, CoordinationOpener } from "./coordination/coordination.ts";
import { createGossip } from "./coordination/gossip.ts";
import { createHybrid } from "./coordination/hybrid.ts";
import { createLocal } from "./coordination/local.ts";
import { TidegateError } from "./errors.ts";
import { type CheckedGossip, checkGossip, type GossipOptions } from "./gossip/gossip-options.ts";
import type { Limiter } from "./limiter.ts";
import { checkOptions, checkPort, optionError, positiveInteger } from "./policy/options.ts";
import type { CoordinationName, Policy, PolicyOptions } from "./policy/policy.ts";
import { checkKey, checkRequest } from "./policy/request.ts";
import type { Clock } from "./ports/clock.ts";
import type { Random } from "./ports/random.ts";
import type { Scheduler } from "./ports/scheduler.ts";
import type { Store } from "./ports/store.ts";
import type { Telemetry } from "./ports/telemetry.ts";
import type { Timer } from "./ports/timer.ts";
import { GuardedStore } from "./resilience/guarded-store.ts";
import { createHmacSigner } from "./runtime/hmac-signer.ts";
import { withSteady } from "./runtime/steady-clock.ts";
import { createSystemClock } from "./runtime/system-clock.ts";
import { createSystemId } from "./runtime/system-ids.ts";
import { systemRandom } from "./runtime/system-random.ts";
import { systemScheduler } from "./runtime/system-scheduler.ts";
import { systemTimer } from "./runtime/system-timer.ts";
import { countingStore, type MemoryStore, memoryStore } from "./stores/memory.ts";

/** What a limiter is made of. */
export interface LimiterOptions {
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  /** Decides requests that name no policy, or none that there is; left out, those are refused. */
  readonly defaultPolicy?: string;
  /** Left out: this process' memory. */
  readonly store?: Store;
  /** Left out: "central" where the store is shared, else "local". A policy may set its own. */
  readonly coordination?: CoordinationName;
  readonly telemetry?: Telemetry;
  /** Clock of overrides that end, and of the memory that the limiter makes for itself; a store has its own. */
  readonly clock?: Clock;
  /** Randomness of the memory that the limiter makes for itself, and of its jitter; a store has its own. */
  readonly random?: Random;
  /** Waits for schedule() and withPermit(), for deadlines of the store, and to probe one that is away. */
  readonly timer?: Timer;
  /** Ends turns of the event loop, for what goes out with one. */
  readonly scheduler?: Scheduler;
  /**
   * How many nodes share the store, 1 to 10,000, until the store has said: what a `local` policy divides its limits by
   * where it was never reached. Default 1. Refused where no store is shared.
   */
  readonly expectedNodes?: number;
  /**
   * Where this node stands, up to 64 characters: whose part of the limits it enforces where a policy has `regions`, and
   * with whom it gossips closely. Default "".
   */
  readonly region?: string;
  /** How this node exchanges counts with others: for policies whose coordination is "gossip", and refused else. */
  readonly gossip?: GossipOptions;
}

const OPTIONS = [
  ...["policies", "defaultPolicy", "store", "coordination", "telemetry", "clock", "random"],
  ...["timer", "scheduler", "expectedNodes", "region", "gossip"],
];

const MAX_NODES = 10_000;

/**
 * Creates a limiter.
 * @throws TidegateError INVALID_OPTION naming the option, the value and what would be right.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  checkOptions("createLimiter", options, OPTIONS);
  checkPorts(options);
  const gossip = options.gossip === undefined ? undefined : checkGossip(options.gossip);
  const opened = new Map<CoordinationName, Coordination>();
  const entries = createEntries(options, gossip, opened);
  const { telemetry, timer = systemTimer } = options;
  let closing: Promise<void> | undefined;
  const requireOpen = () => {
    if (closing !== undefined) throw closedError();
  };
  const context: CallContext = {
    entries,
    entryOf(policy) {
      if (closing !== undefined) throw closedError();
      return entries.find(policy);
    },
    decided: telemetry?.decided === undefined ? undefined : telemetry.decided.bind(telemetry),
    timer,
  };
  return {
    ...createChecks(context),
    ...createCheckEvery(context),
    ...createSchedule(context),
    ...createReservations(context),
    ...createPermits(context),
    async reset(request) {
      checkRequest(request);
      const entry = context.entryOf(request.policy);
      checkKey(request.key);
      const target = entries.target(entry, request.key);
      await entry.coordination.reset(
        target.ruling === undefined ? target.policy : entry.policy,
        request.key,
      );
    },
    describe: (policy, key) => entries.describe(policy, key),
    setPolicy(name, policyOptions) {
      requireOpen();
      entries.set(name, policyOptions);
    },
    async ping() {
      requireOpen();
      await Promise.all([...opened.values()].map((coordination) => coordination.ping()));
    },
    close() {
      // What was found before is looked for again, and refused.
      entries.generation += 1;
      closing ??= Promise.all(
        [...opened.values()].map((coordination) => coordination.close()),
      ).then(() => undefined);
      return closing;
    },
  };
}

function checkPorts(options: LimiterOptions): void {
  const { store, telemetry, clock, random, timer, scheduler, expectedNodes, region } = options;
  if (store !== undefined && typeof (store as Partial<Store>)?.attach !== "function") {
    throw optionError("store", "a store made by memoryStore() or redisStore()", store);
  }
  if (telemetry !== undefined && typeof telemetry !== "object") {
    throw optionError("telemetry", "an object with decided()", telemetry);
  }
  checkPort("clock", clock, "now");
  checkPort("random", random, "next");
  checkPort("timer", timer, "after");
  checkPort("scheduler", scheduler, "afterTurn");
  if (region !== undefined && (typeof region !== "string" || region.length > 64)) {
    throw optionError("region", "a name of at most 64 characters", region);
  }
  if (expectedNodes !== undefined) positiveInteger("expectedNodes", expectedNodes, MAX_NODES);
  if (expectedNodes !== undefined && store?.shared !== true) {
    const expected = "left out where no store is shared, since each node has the whole limit then";
    throw optionError("expectedNodes", expected, expectedNodes);
  }
  if (store !== undefined && !store.shared && random !== undefined) {
    throw new TidegateError(
      "INVALID_OPTION",
      "random must be given to the store where a store in memory is passed: memoryStore({ random })",
      { field: "random" },
    );
  }
}

/** What was opened for policies before one was refused is closed: a node that gossips has begun to. */
function createEntries(
  options: LimiterOptions,
  gossip: CheckedGossip | undefined,
  opened: Map<CoordinationName, Coordination>,
): PolicyEntries {
  try {
    return openEntries(options, gossip, opened);
  } catch (error) {
    for (const coordination of opened.values()) {
      Promise.resolve(coordination.close()).catch(() => undefined);
    }
    throw error;
  }
}

function openEntries(
  options: LimiterOptions,
  gossip: CheckedGossip | undefined,
  opened: Map<CoordinationName, Coordination>,
): PolicyEntries {
  const { policies, store } = options;
  const isRecord = typeof policies === "object" && policies !== null && !Array.isArray(policies);
  if (!isRecord || Object.keys(policies).length === 0) {
    throw optionError("policies", "an object with at least one policy", policies);
  }
  const standard =
    checkCoordination("coordination", options.coordination) ??
    (store?.shared === true ? "central" : "local");
  const runtime = runtimeOf(options);
  let guarded: GuardedStore | undefined;
  const guardOf = () => {
    guarded ??= guard(store!, options, runtime);
    return guarded;
  };
  const open: CoordinationOpener = (name) => {
    let coordination = opened.get(name);
    if (coordination === undefined) {
      coordination =
        name === "gossip"
          ? openGossip(options, runtime, gossip, entries)
          : openCoordination(name, options, runtime, guardOf);
      opened.set(name, coordination);
    }
    return coordination;
  };
  const entries = new PolicyEntries(open, standard, runtime.clock, options.region ?? "");
  const used = Object.entries(policies).map(([name, one]) => entries.coordinationOf(name, one));
  if (store?.shared === true && used.every((name) => name === "local" || name === "gossip")) {
    throw new TidegateError(
      "INVALID_OPTION",
      'coordination must be "central" or "hybrid" for the policies that use the store: every policy is ' +
        `"${used[0]}", which decides in memory; leave the store out, or change the coordination`,
      { field: "coordination" },
    );
  }
  if (gossip !== undefined && !used.includes("gossip")) {
    const expected = 'left out, since no policy has coordination "gossip"';
    throw optionError("gossip", expected, Object.keys(gossip));
  }
  for (const [name, policyOptions] of Object.entries(policies)) entries.set(name, policyOptions);
  entries.setDefault(options.defaultPolicy);
  return entries;
}

/** Opens a coordination. Those that share the store share what guards it, which `guardOf` returns. */
function openCoordination(
  name: CoordinationName,
  options: LimiterOptions,
  runtime: Runtime,
  guardOf: () => GuardedStore,
): Coordination {
  const { store, telemetry } = options;
  switch (name) {
    case "hybrid":
      requireShared(name, store);
      return createHybrid({
        ...runtime,
        store: guardOf(),
        telemetry,
        id: createSystemId(),
      });
    case "central":
      requireShared(name, store);
      return createCentral(guardOf(), telemetry);
    default:
      return createLocal(
        store === undefined || store.shared ? createMemory(options) : store,
        telemetry,
      );
  }
}

function openGossip(
  options: LimiterOptions,
  { random, timer, clock }: Runtime,
  gossip: CheckedGossip | undefined,
  entries: PolicyEntries,
): Coordination {
  if (gossip === undefined) {
    throw new TidegateError(
      "INVALID_OPTION",
      'coordination "gossip" needs the option gossip: { transport }, by which nodes exchange what they admitted',
      { field: "gossip" },
    );
  }
  const coordination = createGossip({
    ...{ gossip, random, timer, clock },
    region: options.region ?? "",
    store: countingStore({ clock, random }),
    instance: createInstance(random),
    signer: gossip.secret === undefined ? undefined : createHmacSigner(gossip.secret),
    telemetry: options.telemetry,
    policyOf: (policy, key) => policyOf(entries, coordination, policy, key),
    generation: () => entries.generation,
    hasOverrides: (policy) => entries.look(policy)?.overrides !== undefined,
  });
  return coordination;
}

/** Finds the limits of a key that a coordination decides by. */
function policyOf(
  entries: PolicyEntries,
  coordination: Coordination,
  name: string,
  key: string,
): Policy | undefined {
  const entry = entries.look(name);
  if (entry?.coordination !== coordination) return undefined;
  const target = entries.target(entry, key);
  return target.ruling === undefined ? target.policy : undefined;
}

/** Names one life of a node, in 16 hexadecimal digits. */
function createInstance(random: Random): string {
  const part = () =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return part() + part();
}

/** @throws TidegateError INVALID_OPTION where the store is in memory. */
function requireShared(name: CoordinationName, store: Store | undefined): void {
  if (store?.shared === true) return;
  throw new TidegateError(
    "INVALID_OPTION",
    `coordination "${name}" needs a store that nodes share, such as redisStore(), got one in memory; ` +
      'pass a redisStore(), or set coordination to "local"',
    { field: "coordination" },
  );
}

function createMemory({ clock, random }: LimiterOptions): MemoryStore {
  return memoryStore({
    ...(clock === undefined ? {} : { clock }),
    ...(random === undefined ? {} : { random }),
  });
}

/** Has the policies answer where the store does not. */
function guard(store: Store, options: LimiterOptions, runtime: Runtime): GuardedStore {
  const { telemetry, expectedNodes = 1 } = options;
  return new GuardedStore({
    ...runtime,
    store,
    memory: createMemory(options),
    telemetry,
    expectedNodes,
    id: createSystemId(),
  });
}

type Runtime = ReturnType<typeof runtimeOf>;

/**
 * The ports of a limiter: those that were passed, and for the others the machine's. There is one clock for all its
 * parts, which compare what they read of it.
 */
function runtimeOf({ clock, timer, scheduler, random }: LimiterOptions) {
  return {
    clock: withSteady(clock ?? createSystemClock()),
    timer: timer ?? systemTimer,
    scheduler: scheduler ?? systemScheduler,
    random: random ?? systemRandom,
  };
}

function closedError(): TidegateError {
  return new TidegateError("LIMITER_CLOSED", "the limiter is closed");
}
