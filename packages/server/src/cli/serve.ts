// `tidegate serve`: starts the service, tells people where it is, and stops it when it is told to.

import { TidegateError } from "tidegate";
import { type LoadedConfiguration, loadConfiguration } from "../config/load-configuration.ts";
import type { Configuration } from "../configuration.ts";
import type { Service } from "../service.ts";
import { writeBanner } from "./banner.ts";
import { type Context, EXIT } from "./context.ts";
import { createPaint } from "./paint.ts";
import { reportProblems, reportWarnings } from "./report-problems.ts";
import { stopSignal } from "./stop-signal.ts";
import { readVersion } from "./version.ts";

type Accepted = Extract<LoadedConfiguration, { configuration: Configuration }>;

/** Serves until a signal stops it. The log is JSON on standard error, the banner on standard output. */
export async function serve(file: string | undefined, context: Context): Promise<number> {
  const { environment, directory, stdout, stderr } = context;
  const stopped = stopSignal();
  const [loaded, { startService }] = await Promise.all([
    loadConfiguration({ file, environment, directory }),
    import("../service.ts"),
  ]);
  if ("problems" in loaded) {
    reportProblems(loaded, context);
    return EXIT.unusable;
  }
  reportWarnings(loaded.warnings, stderr);
  const { configuration } = loaded;
  let service: Service;
  try {
    service = await startService(configuration);
  } catch (error) {
    stderr.write(`tidegate: ${describeStartError(error, configuration)}\n`);
    return EXIT.failed;
  }
  await showBanner(service, loaded, context);
  await stopped;
  if (stdout.isTTY === true) {
    stdout.write("\n  Stopping: calls in flight finish first. Ctrl-C again stops at once.\n");
  }
  await service.drain();
  return EXIT.ok;
}

async function showBanner(service: Service, loaded: Accepted, context: Context): Promise<void> {
  const { stdout, environment } = context;
  const banner = writeBanner({
    version: readVersion(),
    addresses: service.addresses,
    configuration: loaded.configuration,
    file: loaded.file,
    // A store that is away is not waited for: it says so and goes on.
    storeAnswers: await service.storeAnswers(),
    paint: createPaint(stdout, environment),
  });
  stdout.write(banner);
}

const HOST = "TIDEGATE_HOST or host";
const PORTS: Readonly<
  Record<string, readonly [name: string, variable: string, key: string, host: string]>
> = {
  httpPort: ["HTTP", "TIDEGATE_HTTP_PORT", "ports.http", HOST],
  grpcPort: ["gRPC", "TIDEGATE_GRPC_PORT", "ports.grpc", HOST],
  adminPort: ["metrics", "TIDEGATE_ADMIN_PORT", "ports.admin", HOST],
  peersPort: [
    "peers",
    "TIDEGATE_PEERS_PORT",
    "peers.port",
    "TIDEGATE_PEERS_HOST, peers.host or host",
  ],
};

/** Says why the service did not start, and what to do. */
function describeStartError(error: unknown, configuration: Configuration): string {
  if (!(error instanceof TidegateError)) throw error;
  const port = PORTS[error.field ?? ""];
  if (port === undefined) return error.message;
  const [name, variable, key, hostKey] = port;
  const { host, port: number } = listenedOn(error.field!, configuration);
  const reason = /, got \d+ on \S+: (.*)$/s.exec(error.message)?.[1] ?? error.message;
  const remedy = /EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN/.test(reason)
    ? `Set ${hostKey} to an address of this machine.`
    : `Stop that, or choose another port with ${variable} or ${key} (0 is any free one).`;
  return `cannot listen on port ${number} of ${host} for ${name}: ${reason}.\n${remedy}`;
}

function listenedOn(field: string, configuration: Configuration) {
  const { host, gossip } = configuration;
  if (field === "peersPort") return { host: gossip!.peers.host, port: gossip!.peers.port };
  return { host, port: configuration[field as "httpPort" | "grpcPort" | "adminPort"] };
}
