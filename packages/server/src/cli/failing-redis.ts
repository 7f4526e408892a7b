// A Redis that is made to fail before the reader's eyes: a process of the demo's own, which is killed and frozen. It is
// ended by its id, whatever ends the demo.

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { TidegateError } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { Context } from "./context.ts";

/** A Redis that fails when it is told to. What is done to it is said in a sentence. */
export interface FailingRedis {
  /** Where nodes connect. */
  readonly url: string;
  /** What it is, for the introduction. */
  readonly name: string;
  /** In a word, how it is after that. */
  readonly states: { readonly kill: string; readonly freeze: string };
  kill(): Promise<string>;
  /** Brings it back, and resolves when it takes connections. */
  revive(): Promise<string>;
  freeze(): string;
  thaw(): string;
  /** Leaves nothing behind, and says what became of it. */
  close(): Promise<string>;
}

const PROGRAMS = ["redis-server", "valkey-server"];
const START_DEADLINE_MS = 10_000;

/**
 * Starts a redis-server on a free port of the loopback.
 * @throws TidegateError INVALID_OPTION where there is none, STORE_UNAVAILABLE where it does not start.
 */
export async function startOwnRedis(
  environment: Context["environment"],
  timers: Timers,
): Promise<FailingRedis> {
  const program = findProgram(environment);
  const port = await freePort();
  let server = await startServer(program, port, timers);
  // A second Ctrl-C ends the process at once.
  const endAtExit = () => server.child.kill("SIGKILL");
  process.once("exit", endAtExit);
  const end = async () => {
    server.child.kill("SIGKILL");
    await server.ended;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    name: `redis-server on port ${port}, process ${server.child.pid}`,
    states: { kill: "killed", freeze: "frozen" },
    async kill() {
      await end();
      return `kill -9 ${server.child.pid}: Redis is gone, and its counts with it.`;
    },
    async revive() {
      server = await startServer(program, port, timers);
      return `Redis is started anew, empty, as process ${server.child.pid}.`;
    },
    freeze() {
      server.child.kill("SIGSTOP");
      return `kill -STOP ${server.child.pid}: Redis hangs, with its connections open.`;
    },
    thaw() {
      server.child.kill("SIGCONT");
      return `kill -CONT ${server.child.pid}: Redis goes on, and with what was sent to it meanwhile.`;
    },
    async close() {
      await end();
      process.off("exit", endAtExit);
      return `The redis-server, process ${server.child.pid}, has been ended.`;
    },
  };
}

function findProgram({ TIDEGATE_REDIS_SERVER: given, PATH = "" }: Context["environment"]): string {
  if (given) return given;
  for (const program of PROGRAMS) {
    for (const directory of PATH.split(delimiter)) {
      const file = join(directory, program);
      if (directory !== "" && isExecutable(file)) return file;
    }
  }
  throw new TidegateError(
    "INVALID_OPTION",
    "--chaos needs a redis-server to kill, and there is none on the PATH.\n" +
      "Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), name it with " +
      "TIDEGATE_REDIS_SERVER, or pass --redis URL: to one that runs already, connections are cut instead.",
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

interface Server {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

/** Starts a server that keeps nothing, and resolves when it takes connections. */
function startServer(program: string, port: number, timers: Timers): Promise<Server> {
  const settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()];
  const child = spawn(program, ["--port", String(port), ...settings], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      output = error.message;
      resolve();
    });
  });
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      cancel();
      child.kill("SIGKILL");
      const message = `${program} did not start: ${reason}`;
      reject(new TidegateError("STORE_UNAVAILABLE", message));
    };
    const cancel = timers.after(START_DEADLINE_MS, () => fail("it is not ready after 10 s"));
    const read = (text: Buffer) => {
      // Enough to see why it ended, or that it is ready.
      output = `${output}${text}`.slice(-4_000);
      if (!output.includes("Ready to accept connections")) return;
      cancel();
      resolve({ child, ended });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    ended.then(() => fail(output.trim().split("\n").at(-1) || "it ended"));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
