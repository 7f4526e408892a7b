// Turns the arguments of `npm test -- ...` into those of Node's test runner: options first, then files.

const ALL_TESTS = ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"];
const VALUED =
  /^--test-(name-pattern|skip-pattern|concurrency|timeout|reporter|reporter-destination|shard)$/;

/** Returns options, then the files or patterns to run: all tests where none is given. */
export function testRunnerArguments(given) {
  const options = [];
  const files = [];
  for (let index = 0; index < given.length; index += 1) {
    const argument = given[index];
    if (VALUED.test(argument) && index + 1 < given.length) {
      options.push(`${argument}=${given[index + 1]}`);
      index += 1;
    } else if (argument.startsWith("-")) options.push(argument);
    else files.push(argument);
  }
  return [...options, ...(files.length === 0 ? ALL_TESTS : files)];
}
