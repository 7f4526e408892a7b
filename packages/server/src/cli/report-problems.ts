// Tells what is wrong with a configuration, and what looks like a slip.

import { formatProblem, type Problem } from "../config/problem.ts";
import type { Context } from "./context.ts";

/** Writes each problem on a line, as compilers do, and how many there are. */
export function reportProblems(
  { problems, warnings }: { problems: readonly Problem[]; warnings: readonly string[] },
  { stderr }: Context,
): void {
  for (const problem of problems) stderr.write(`${formatProblem(problem)}\n`);
  reportWarnings(warnings, stderr);
  stderr.write(`\n${problems.length} ${problems.length === 1 ? "problem" : "problems"}. `);
  stderr.write("docs/configuration.md explains every key and variable.\n");
}

/** Writes each warning on a line. */
export function reportWarnings(warnings: readonly string[], stderr: Context["stderr"]): void {
  for (const warning of warnings) stderr.write(`warning: ${warning}\n`);
}
