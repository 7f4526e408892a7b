// `tidegate config check FILE`: says everything that is wrong with a file, or what it would serve; for people and CI.

import { loadConfiguration } from "../config/load-configuration.ts";
import { type Context, EXIT } from "./context.ts";
import { reportProblems, reportWarnings } from "./report-problems.ts";
import { sayPeers, sayPolicies, sayStore, writeTable } from "./summary.ts";

/** Checks the file, with the environment variables over it, as `serve` would. */
export async function checkConfig(file: string, context: Context): Promise<number> {
  const { environment, directory, stdout } = context;
  const loaded = await loadConfiguration({ file, environment, directory });
  if ("problems" in loaded) {
    reportProblems(loaded, context);
    return EXIT.unusable;
  }
  reportWarnings(loaded.warnings, context.stderr);
  const { configuration, variables } = loaded;
  const { host, httpPort, grpcPort, adminPort } = configuration;
  stdout.write(`${file} is right. \`tidegate serve --config ${file}\` would serve:\n\n`);
  stdout.write(
    writeTable([
      [
        "Listens",
        [`${host}, ports ${httpPort} (HTTP), ${grpcPort} (gRPC), ${adminPort} (metrics)`],
      ],
      ["Store", [sayStore(configuration)]],
      ...sayPeers(configuration),
      ["Policies", sayPolicies(configuration)],
      ...(variables.length === 0 ? [] : [["Set by", [variables.join(", ")]] as const]),
    ]),
  );
  return EXIT.ok;
}
