// One node of the fault suite: a process with a limiter and a connection of its own, under load. It does what its
// parent tells it over IPC, and ends when its parent does.

import dns from "node:dns";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Redis } from "ioredis";
import { createClient } from "redis";
import {
  createLimiter,
  type Limiter,
  type PolicyOptions,
  type Telemetry,
  tokenBucket,
} from "tidegate";
import { redisStore } from "tidegate/redis";
import { systemTimer } from "../../packages/tidegate/src/runtime/system-timer.ts";
import { eventually } from "../support/eventually.ts";
import { Load } from "./load.ts";
import {
  type Answer,
  type Ask,
  type CircuitEvent,
  type Connection,
  monotonicMs,
  type NodeReport,
  type Order,
  POOL_LIMIT,
  policyName,
  type Setup,
  SUM_KEY,
  SUM_LIMIT,
  sumPolicyName,
} from "./orders.ts";

process.on("unhandledRejection", (error) => {
  process.send!({
    unhandled: error instanceof Error ? (error.stack ?? String(error)) : String(error),
  });
});
process.on("disconnect", () => process.exit());

/** A limiter, and how what it stands on is closed. */
interface Opened {
  readonly setup: Setup;
  readonly limiter: Limiter;
  readonly load: Load;
  readonly circuits: CircuitEvent[];
  readonly calls: Record<string, number>;
  readonly newcomers: string[];
  /** Units of leases in hand. */
  readonly unitsHeld: () => number;
  unsettled: number;
  readonly disconnect: () => void;
}

let opened: Opened | undefined;

function policiesOf({ coordination, modes, deadlineMs }: Setup): Record<string, PolicyOptions> {
  return Object.fromEntries(
    modes.flatMap((mode) => {
      const shared = { coordination, deadline: deadlineMs, onStoreFailure: mode };
      // Filled so slowly that nothing comes back in a run.
      const pool = { ...shared, limits: [tokenBucket({ capacity: POOL_LIMIT, refill: "1/d" })] };
      const sum = { ...shared, limits: [tokenBucket({ capacity: SUM_LIMIT, refill: "1/h" })] };
      return [
        [policyName(mode), pool],
        [sumPolicyName(mode), sum],
      ];
    }),
  );
}

/** Opens a connection as an application would, which Tidegate does not close. */
function openStore(connection: Connection) {
  if (connection.kind === "url") {
    return { store: redisStore({ url: connection.url }), disconnect: () => {} };
  }
  const { port } = connection;
  if (connection.kind === "ioredis") {
    const client = new Redis({ port, autoResendUnfulfilledCommands: false });
    client.on("error", () => {});
    return { store: redisStore({ client }), disconnect: () => client.disconnect() };
  }
  const client = createClient({ socket: { port, host: "127.0.0.1" } });
  client.on("error", () => {});
  client.connect().catch(() => {});
  return { store: redisStore({ client }), disconnect: () => client.destroy() };
}

function createNode(setup: Setup, telemetry: Telemetry) {
  const { store, disconnect } = openStore(setup.connection);
  const limiter = createLimiter({
    store,
    policies: policiesOf(setup),
    expectedNodes: setup.nodes,
    telemetry,
  });
  return { limiter, disconnect };
}

function open(setup: Setup): void {
  // As the last fault may have left them.
  steppedMs = 0;
  namesResolve = true;
  const circuits: CircuitEvent[] = [];
  const calls: Record<string, number> = {};
  let heldByPolicy: () => ReadonlyMap<string, number> = () => new Map();
  const unitsHeld = () => [...heldByPolicy().values()].reduce((sum, units) => sum + units, 0);
  const telemetry: Telemetry = {
    leasesHeld(read) {
      heldByPolicy = read;
    },
    circuitChanged({ node, deadlineMs, state }) {
      circuits.push({ atMs: monotonicMs(), circuit: `${node} ${deadlineMs}`, state });
    },
    storeCalled(operation) {
      if (opened?.load.phase === "away") calls[operation] = (calls[operation] ?? 0) + 1;
    },
    answeredLate({ policy }) {
      const [kind, mode = ""] = policy.split("-");
      // Of the one that never is used up, which is compared with what Redis holds.
      if (kind === "sum") opened!.load.modes[mode]!.late += 1;
    },
  };
  const { limiter, disconnect } = createNode(setup, telemetry);
  const load = new Load(limiter, setup.modes, String(process.pid));
  const newcomers: string[] = [];
  const seen = { circuits, calls, newcomers, unsettled: 0 };
  opened = { setup, limiter, load, unitsHeld, disconnect, ...seen };
}

async function newcomer({ setup, newcomers }: Opened): Promise<void> {
  const { limiter, disconnect } = createNode(setup, {});
  const answers = await Promise.allSettled(
    setup.modes.map((mode) => limiter.check({ policy: policyName(mode), key: "newcomer" })),
  );
  for (const answer of answers) {
    newcomers.push(
      answer.status === "fulfilled" ? answer.value.source : `rejected: ${answer.reason}`,
    );
  }
  await close(limiter);
  disconnect();
}

/** Settled it is within about a second; that it is at all, is what is looked at. */
const CLOSE_MS_MAX = 10_000;

async function close(limiter: Limiter): Promise<void> {
  let cancel = () => {};
  const tooLate = new Promise<"late">((resolve) => {
    cancel = systemTimer.after(CLOSE_MS_MAX, () => resolve("late"));
  });
  const closed = await Promise.race([limiter.close(), tooLate]);
  cancel();
  if (closed === "late") opened!.unsettled += 1;
}

async function report(one: Opened): Promise<NodeReport> {
  const { load, limiter, circuits, calls, newcomers } = one;
  for (const mode of one.setup.modes) {
    load.modes[mode]!.sumRemaining = await eventually(async () => {
      const decision = await limiter.peek({ policy: sumPolicyName(mode), key: SUM_KEY });
      if (decision.source !== "store") throw new Error(`peek: ${decision.source}`);
      return decision.remaining;
    });
  }
  await close(limiter);
  one.disconnect();
  opened = undefined;
  const { modes, stallMs } = load;
  return { modes, circuits, calls, newcomers, stallMs, unsettled: one.unsettled };
}

function recovered({ load }: Opened): number {
  const all = Object.values(load.modes);
  return all.reduce((sum, { recoveredAtMs }) => sum + Object.keys(recoveredAtMs).length, 0);
}

let steppedMs = 0;
const wallClock = Date.now;
Date.now = () => wallClock() + steppedMs;

let namesResolve = true;
const { lookup } = dns;
// Connections are made with the lookup that node:dns has at the time, so this is where a name server fails.
dns.lookup = ((host: string, options: object, callback: (...args: unknown[]) => void) => {
  if (!host.endsWith(".test")) return lookup(host, options as dns.LookupOptions, callback);
  const error = Object.assign(new Error(`getaddrinfo EAI_AGAIN ${host}`), { code: "EAI_AGAIN" });
  const all = (options as dns.LookupOptions).all === true;
  const found = all ? [[{ address: "127.0.0.1", family: 4 }]] : ["127.0.0.1", 4];
  process.nextTick(() => (namesResolve ? callback(null, ...found) : callback(error)));
}) as typeof dns.lookup;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "open":
      return open(order.setup);
    case "phase":
      opened!.load.phase = order.phase;
      if (!opened!.load.isRunning) opened!.load.start();
      return;
    case "newcomer":
      return newcomer(opened!);
    case "block":
      return opened!.load.block(order.ms);
    case "step":
      steppedMs += order.ms;
      return;
    case "resolve":
      namesResolve = order.works;
      return;
    case "recovered":
      return recovered(opened!);
    case "stop":
      await opened!.load.stop();
      return eventually(() => {
        const units = opened!.unitsHeld();
        if (units > 0) throw new Error(`${units} units of leases in hand`);
      });
    case "report":
      return report(opened!);
    case "heap":
      collectGarbage();
      return process.memoryUsage().heapUsed;
  }
}

process.on("message", ({ id, order }: Ask) => {
  obey(order).then(
    (value) => answer({ id, value }),
    (error: unknown) => answer({ id, error: String(error) }),
  );
});

function answer(one: Answer): void {
  process.send!(one);
}
