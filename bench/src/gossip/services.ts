// Services that gossip, as processes by their configuration; and what they say of themselves.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../test/support/eventually.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { TIDEGATE_COMMAND } from "../../../test/support/tidegate-process.ts";
import type { Place } from "./places.ts";

/** How the services are configured. */
export interface ServicesOptions {
  readonly places: readonly Place[];
  readonly coordination: "gossip" | "local";
  readonly intervalMs: number;
  /** The policy "users", as YAML's flow style writes a map. */
  readonly policy: string;
}

/** A service process. */
export interface ServiceProcess {
  readonly host: string;
  readonly grpcPort: number;
  /** Starts it, with an empty memory, and resolves when it is ready. */
  start(): Promise<void>;
  /** Kills it, and resolves when it is gone. */
  kill(): Promise<void>;
  /** Other nodes that it hears of; undefined while it does not answer. */
  reachablePeers(): Promise<number | undefined>;
  counts(): Promise<ServiceCounts>;
}

/** What a service has spent and sent since it was started. */
export interface ServiceCounts {
  readonly cpuMs: number;
  readonly bytes: number;
  readonly messages: number;
}

const SECRET = "the secret of a benchmark";
const READY_WITHIN_MS = 30_000;
/** Of Linux: ticks of processor time in a second. */
const TICK_MS = 10;
const NO_PEERS = { cpuMs: 0, bytes: 0, messages: 0 };

/** Prepares services, and starts all of them at once. */
export async function startServices(options: ServicesOptions): Promise<readonly ServiceProcess[]> {
  const ports: { http: number; grpc: number; admin: number; peers: number }[] = [];
  for (const _ of options.places) {
    const [http, grpc, admin, peers] = await distinctPorts(4);
    ports.push({ http: http!, grpc: grpc!, admin: admin!, peers: peers! });
  }
  const members = options.places.map(({ peersHost }, index) => {
    return `"${peersHost}:${ports[index]!.peers}"`;
  });
  const services = options.places.map((place, index): ServiceProcess => {
    const { http, grpc, admin, peers } = ports[index]!;
    const gossip = [
      `peers: { host: ${place.peersHost}, port: ${peers}, members: [${members.join(", ")}], secret: ${SECRET} }`,
      `gossip: { interval: ${options.intervalMs}ms }`,
    ];
    const lines = [
      `host: ${place.host}`,
      `ports: { http: ${http}, grpc: ${grpc}, admin: ${admin} }`,
      "store: memory",
      `coordination: ${options.coordination}`,
      ...(options.coordination === "gossip" ? gossip : []),
      `policies: { users: ${options.policy} }`,
    ];
    return createService(place, { http, grpc, admin }, lines.join("\n"));
  });
  try {
    await Promise.all(services.map((service) => service.start()));
    if (options.coordination === "gossip") await whenAllSeen(services);
    return services;
  } catch (error) {
    await Promise.all(services.map((service) => service.kill()));
    throw error;
  }
}

/** Resolves when every service hears of every other one. */
export async function whenAllSeen(services: readonly ServiceProcess[]): Promise<void> {
  await eventually(
    async () => {
      const seen = await Promise.all(services.map((service) => service.reachablePeers()));
      if (seen.some((count) => count !== services.length - 1)) throw new Error(`seen: ${seen}`);
    },
    READY_WITHIN_MS,
    25,
  );
}

function createService(
  { prefix, host }: Place,
  ports: { readonly http: number; readonly grpc: number; readonly admin: number },
  yaml: string,
): ServiceProcess {
  let child: ChildProcess | undefined;
  let ended = Promise.resolve();
  const endAtExit = () => void child?.kill("SIGKILL");
  return {
    host,
    grpcPort: ports.grpc,
    async start() {
      const directory = mkdtempSync(join(tmpdir(), "tidegate-bench-"));
      const file = join(directory, "tidegate.yaml");
      writeFileSync(file, yaml);
      const [program, ...args] = [
        ...prefix,
        process.execPath,
        TIDEGATE_COMMAND,
        "serve",
        "--config",
        file,
      ];
      const own = spawn(program!, args, { stdio: ["ignore", "ignore", "pipe"] });
      child = own;
      process.on("exit", endAtExit);
      let log = "";
      own.stderr.on("data", (data) => {
        log = `${log}${data}`.slice(-4_000);
      });
      ended = new Promise<void>((resolve) => own.once("exit", () => resolve())).then(() => {
        process.off("exit", endAtExit);
        rmSync(directory, { recursive: true, force: true });
      });
      await eventually(async () => {
        if (own.exitCode !== null) return;
        const { status } = await fetch(`http://${host}:${ports.http}/readyz`);
        if (status !== 200) throw new Error(`a service is not ready: ${log}`);
      }, READY_WITHIN_MS);
      if (own.exitCode !== null) throw new Error(`a service ended: ${log}`);
    },
    kill() {
      child?.kill("SIGKILL");
      return ended;
    },
    async reachablePeers() {
      const answer = await fetch(`http://${host}:${ports.http}/readyz`).catch(() => undefined);
      if (answer === undefined) return undefined;
      const { gossip } = (await answer.json()) as { gossip?: { reachable: number } };
      return gossip === undefined ? undefined : gossip.reachable - 1;
    },
    async counts() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
        return NO_PEERS;
      }
      const answer = await fetch(`http://${host}:${ports.admin}/metrics`);
      const metrics = await answer.text();
      const sent = (name: string) => {
        const line = new RegExp(
          `^rate_limiter_gossip_${name}_total\\{direction="sent"\\} (.+)$`,
          "m",
        );
        return Number(line.exec(metrics)?.[1] ?? 0);
      };
      return { cpuMs: cpuMsOf(child.pid!), bytes: sent("bytes"), messages: sent("messages") };
    },
  };
}

/** Processor time of a process; NaN where the system does not tell. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await freePort();
    if (!taken.has(port)) ports.add(port);
  }
  for (const port of ports) taken.add(port);
  return [...ports];
}

const taken = new Set<number>();
