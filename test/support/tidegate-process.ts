// Starts the `tidegate serve` of this repository as a process, on free ports of the loopback, and ends it by its id.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** File of the `tidegate` command, for Node. */
export const TIDEGATE_COMMAND = fileURLToPath(
  new URL("../../packages/server/bin/tidegate.js", import.meta.url),
);

/** A running service process that is ready. */
export interface TidegateProcess {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** Milliseconds from the start of the process to the first 200 of /readyz. */
  readonly readyMs: number;
  /** Kills it. */
  stop(): Promise<void>;
  /** Asks it to end, and resolves when it has. */
  drain(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a service with the configuration `yaml`, and resolves when it is ready, asked every `pollMs`. */
export async function startTidegate(yaml: string, pollMs = 20): Promise<TidegateProcess> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await startOnce(yaml, pollMs);
    } catch (error) {
      // A port that was free may be another test's by now.
      if (tried === 3 || !String(error).includes("something else listens there")) throw error;
    }
  }
}

async function startOnce(yaml: string, pollMs: number): Promise<TidegateProcess> {
  const directory = mkdtempSync(join(tmpdir(), "tidegate-service-"));
  const file = join(directory, "tidegate.yaml");
  writeFileSync(file, yaml);
  const [httpPort, grpcPort, adminPort] = await freePorts();
  const startedMs = performance.now();
  const child = spawn(process.execPath, [TIDEGATE_COMMAND, "serve", "--config", file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      TIDEGATE_HTTP_PORT: String(httpPort),
      TIDEGATE_GRPC_PORT: String(grpcPort),
      TIDEGATE_ADMIN_PORT: String(adminPort),
    },
  });
  running.add(child);
  let log = "";
  child.stderr.on("data", (data) => {
    log += data;
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve())).then(() => {
    running.delete(child);
    rmSync(directory, { recursive: true, force: true });
  });
  const stop = () => {
    child.kill("SIGKILL");
    return exited;
  };
  const drain = () => {
    child.kill("SIGTERM");
    return exited;
  };
  const whenReady = async () => {
    const ready = await isReady(httpPort);
    if (!ready && running.has(child)) throw new Error(`tidegate is not ready: ${log}`);
    return ready;
  };
  const ready = await eventually(whenReady, 20_000, pollMs).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (!ready) throw new Error(`tidegate ended: ${log}`);
  return { httpPort, grpcPort, adminPort, readyMs: performance.now() - startedMs, stop, drain };
}

/** Three that differ: one that was given back a moment ago may be the next again. */
async function freePorts(): Promise<[number, number, number]> {
  const ports = new Set<number>();
  while (ports.size < 3) ports.add(await freePort());
  return [...ports] as [number, number, number];
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
  } catch {
    return false;
  }
}
