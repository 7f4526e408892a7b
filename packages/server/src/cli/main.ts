// The command `tidegate`, as the process runs it. The only place that knows process.env, argv and the exit code.

import { CommanderError } from "commander";
import { type Context, EXIT } from "./context.ts";
import { createProgram } from "./program.ts";

/** Runs the command line of this process. */
export async function main(): Promise<void> {
  const context: Context = {
    environment: process.env,
    directory: process.cwd(),
    stdout: process.stdout,
    stderr: process.stderr,
  };
  // A reader that has had enough, as in `tidegate demo | head`, is no fault.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  const code = await run(process.argv.slice(2), context);
  // Once all is written it ends, whatever a library may still hold open.
  process.stdout.write("", () => process.exit(code));
}

/** Runs a command line and returns what to exit with. */
export async function run(args: readonly string[], context: Context): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(context, (result) => {
    code = result;
  });
  if (args.length === 0) {
    program.outputHelp();
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.unusable;
    throw error;
  }
}
