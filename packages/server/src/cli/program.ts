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
  tidegate check api user:42 --reserve --cost 20  take an estimate; then --settle ID --actual 12
  tidegate check jobs user:42 --acquire           take a permit; then --extend ID or --release ID
  tidegate check --every api=user:42 --every org=org:7
                                                  both or none of them
  tidegate config check tidegate.yaml             check a file, as in CI; exit 0 right, 2 wrong
  tidegate demo                                   watch three nodes share one limit
  tidegate demo --redis redis://127.0.0.1:6379    the same, counted in Redis
  tidegate demo --chaos                           watch them do without a Redis that is killed
  tidegate simulate --list                        scenarios to simulate
  tidegate simulate redis-killed --html page.html what each configuration admits and costs while Redis is away

Environment variables win over the file: TIDEGATE_STORE, TIDEGATE_COORDINATION, TIDEGATE_DEFAULT_POLICY,
TIDEGATE_EXPECTED_NODES, TIDEGATE_HOST, TIDEGATE_HTTP_PORT, TIDEGATE_GRPC_PORT, TIDEGATE_ADMIN_PORT, TIDEGATE_LOG_LEVEL,
TIDEGATE_DRAIN_TIMEOUT; TIDEGATE_CONFIG names the file.
`;

const MAX_UNITS = 1_000_000_000;

/**
 * Creates the program.
 * @param done is told what to exit with.
 */
export function createProgram(context: Context, done: (code: number) => void): Command {
  const program = new Command("tidegate")
    .description(
      "A distributed rate limiter: runs it, asks it, checks its configuration, shows and simulates it.",
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
  addSimulate(program, context, done);
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
  // Each asks something else than a check does, and only one thing is asked at a time.
  const kinds = [
    new Option("--peek", "only look: take nothing"),
    new Option("--reserve", "take an estimate, to be settled when the true cost is known"),
    new Option("--settle <id>", "replace a reservation's estimate by --actual"),
    new Option("--refund", "give units back"),
    new Option("--acquire", "take a permit of a policy with a concurrency limit"),
    new Option("--release <id>", "give a permit back"),
    new Option("--extend <id>", "begin a permit's lease anew"),
    new Option(
      "--every <policy=key>",
      "decide several as one, all or none; to be repeated",
    ).argParser((part: string, before: readonly string[] = []) => [...before, part]),
  ];
  const command = program
    .command("check")
    .description(
      "Ask a running service. Exits with 0 allowed or done, 1 denied or not held, 2 no answer.",
    )
    .argument("[policy]", 'name of the policy; "" is the default policy')
    .argument("[key]", "whom it is counted for, such as user:42")
    .option(
      "--cost <units>",
      "units to take, 1 if left out; of --every, of each",
      wholeNumber(0, MAX_UNITS),
    )
    .option("--id <id>", "name of the request, so that it may be repeated and is charged once");
  for (const kind of kinds) {
    const others = kinds.filter((other) => other !== kind);
    command.addOption(kind.conflicts(others.map((other) => other.attributeName())));
  }
  command
    .option("--ttl <duration>", "of --reserve: how long it may be settled, 1m if left out")
    .option("--actual <units>", "of --settle: what was really used", wholeNumber(0, MAX_UNITS))
    .option("--url <url>", "where the service is", "http://127.0.0.1:8080")
    .option("--json", "print the answer as JSON")
    .action(async (policy: string | undefined, key: string | undefined, options: object) => {
      const { check } = await import("./check.ts");
      const asked = { ...options, policy, key } as Parameters<typeof check>[0];
      const misused = (message: string) => command.error(`error: ${message}`);
      done(await check(asked, context, misused));
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
  const command = program
    .command("demo")
    .description(
      "Watch several nodes share one limit: a burst at once, then the wait that a denial asks for. Or with --chaos, " +
        "watch them do without the Redis that they share.",
    )
    .addOption(new Option("--redis <url>", "count in this Redis instead of in memory"))
    .addOption(
      new Option(
        "--chaos",
        "kill, revive, freeze and thaw a Redis under traffic: one started for it, found on the PATH or by " +
          "TIDEGATE_REDIS_SERVER; of --redis the connections are cut",
      ).conflicts(["requests", "capacity", "refill"]),
    )
    .option(
      "--seconds <count>",
      "of --chaos: how long it takes, 24 if left out",
      wholeNumber(4, 3_600),
    )
    .option("--nodes <count>", "nodes that ask", wholeNumber(1, 50), 3)
    .option("--requests <count>", "requests in the burst", wholeNumber(1, 100_000), 24)
    .option("--capacity <units>", "what the limit admits at once", wholeNumber(1, 1_000_000), 10)
    .option("--refill <rate>", "how fast it comes back", "1/s")
    .action(async (options: { chaos?: boolean; seconds?: number }) => {
      if (options.chaos) {
        const { chaos } = await import("./chaos.ts");
        const shown = { seconds: 24, ...options } as Parameters<typeof chaos>[0];
        done(await chaos(shown, context));
        return;
      }
      if (options.seconds !== undefined) command.error("error: --seconds needs --chaos");
      const { demo } = await import("./demo.ts");
      done(await demo(options as Parameters<typeof demo>[0], context));
    });
}

function addSimulate(program: Command, context: Context, done: (code: number) => void): void {
  const command = program
    .command("simulate")
    .description(
      "Simulate a scenario in virtual time: configurations side by side, through faults. Exits with 0, 1 where " +
        "a promise was not kept, or 2 where the scenario is wrong.",
    )
    .argument("[scenario]", "a YAML file, or the name of one that is shipped")
    .option("--list", "list the scenarios that are shipped")
    .option("--seed <number>", "instead of the scenario's", wholeNumber(0, 2 ** 32 - 1))
    .option("--json <file>", "write the report as JSON")
    .option("--csv <file>", "write the time lines as CSV")
    .option("--html <file>", "write one page with charts")
    .action(async (scenario: string | undefined, options: { list?: boolean }) => {
      if (options.list !== true && scenario === undefined) {
        command.error("error: name a scenario, or --list");
      }
      const { simulate } = await import("./simulate.ts");
      done(await simulate({ ...options, scenario }, context));
    });
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
