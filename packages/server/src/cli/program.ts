// The commands and their options. What a command does is loaded when it is called, so that none pays for another.

import { Command, InvalidArgumentError, Option } from "commander";
import type { Context } from "./context.ts";
import { readVersion } from "./version.ts";

const EXAMPLES = `
Examples:
  tidegate serve                                  serve ./tidegate.yaml, or example policies where there is none
  tidegate serve --config limits.yaml             serve that file
  tidegate check login user:42                    ask the service on this machine; exit 0 allowed, 1 denied
  tidegate check api user:42 --cost 5 --json      take five units, print the answer as JSON
  tidegate config check tidegate.yaml             check a file, as in CI; exit 0 right, 2 wrong
  tidegate demo                                   watch three nodes share one limit
  tidegate demo --redis redis://127.0.0.1:6379    the same, counted in Redis

Environment variables win over the file: TIDEGATE_STORE, TIDEGATE_COORDINATION, TIDEGATE_HOST, TIDEGATE_HTTP_PORT,
TIDEGATE_GRPC_PORT, TIDEGATE_ADMIN_PORT, TIDEGATE_LOG_LEVEL, TIDEGATE_DRAIN_TIMEOUT; TIDEGATE_CONFIG names the file.
`;

/**
 * Creates the program.
 * @param done is told what to exit with.
 */
export function createProgram(context: Context, done: (code: number) => void): Command {
  const program = new Command("tidegate")
    .description(
      "A distributed rate limiter: runs it, asks it, checks its configuration, shows it.",
    )
    .version(readVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => 120,
      getErrHelpWidth: () => 120,
    })
    .exitOverride()
    .showHelpAfterError("Run `tidegate --help` to see how it is used.")
    .addHelpText("after", EXAMPLES);
  addServe(program, context, done);
  addCheck(program, context, done);
  addConfig(program, context, done);
  addDemo(program, context, done);
  return program;
}

function addServe(program: Command, context: Context, done: (code: number) => void): void {
  program
    .command("serve")
    .description("Run the service: HTTP, gRPC and metrics.")
    .option("-c, --config <file>", "the configuration file (default: tidegate.yaml, if present)")
    .action(async (options: { config?: string }) => {
      const { serve } = await import("./serve.ts");
      done(await serve(options.config, context));
    });
}

function addCheck(program: Command, context: Context, done: (code: number) => void): void {
  program
    .command("check")
    .description(
      "Ask a running service for a decision. Exits with 0 allowed, 1 denied, 2 no answer.",
    )
    .argument("<policy>", "name of the policy")
    .argument("<key>", "whom it is counted for, such as user:42")
    .option("--cost <units>", "units to take", wholeNumber(0, 1_000_000_000))
    .option("--url <url>", "where the service is", "http://127.0.0.1:8080")
    .option("--peek", "only look: take nothing")
    .option("--json", "print the answer as JSON")
    .action(async (policy: string, key: string, options: object) => {
      const { check } = await import("./check.ts");
      done(await check({ policy, key, ...options } as Parameters<typeof check>[0], context));
    });
}

function addConfig(program: Command, context: Context, done: (code: number) => void): void {
  program
    .command("config")
    .description("Work with configuration files.")
    .command("check")
    .description("Check a file and say what it would serve. Exits with 0 right, 2 wrong.")
    .argument("<file>", "the configuration file")
    .action(async (file: string) => {
      const { checkConfig } = await import("./config-check.ts");
      done(await checkConfig(file, context));
    });
}

function addDemo(program: Command, context: Context, done: (code: number) => void): void {
  program
    .command("demo")
    .description(
      "Watch several nodes share one limit: a burst at once, then the wait that a denial asks for.",
    )
    .addOption(new Option("--redis <url>", "count in this Redis instead of in memory"))
    .option("--nodes <count>", "nodes that ask", wholeNumber(1, 50), 3)
    .option("--requests <count>", "requests in the burst", wholeNumber(1, 100_000), 24)
    .option("--capacity <units>", "what the limit admits at once", wholeNumber(1, 1_000_000), 10)
    .option("--refill <rate>", "how fast it comes back", "1/s")
    .action(async (options: object) => {
      const { demo } = await import("./demo.ts");
      done(await demo(options as Parameters<typeof demo>[0], context));
    });
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
