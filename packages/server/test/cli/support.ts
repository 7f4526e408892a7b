// Runs the command as a person would: in a process of its own, or in this one where no process is needed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/main.ts";

const BIN = fileURLToPath(new URL("../../bin/tidegate.js", import.meta.url));

/** What a command did. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Outcome>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Where and how a command is run; nothing of the tests' own environment gets in. */
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly nodeOptions?: readonly string[];
}

/** Starts bin/tidegate.js. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), BIN, ...args], {
    cwd: options.directory ?? tmpdir(),
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
    // A command that hangs fails its test, and does not hang the tests.
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return { code: code as number | null, stdout, stderr };
  });
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs bin/tidegate.js to its end. */
export function execute(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return start(args, options).ended;
}

/** Runs a command line in this process. */
export async function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  directory = tmpdir(),
): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const code = await run(args, {
    environment,
    directory,
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
  });
  return { code, stdout, stderr };
}
