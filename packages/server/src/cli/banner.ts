// What a person sees when the service starts: where it is, what it serves, and lines to paste that work.

import type { Configuration } from "../configuration.ts";
import type { Service } from "../service.ts";
import type { Paint } from "./paint.ts";
import { sayPeers, sayPolicies, sayStore, writeTable } from "./summary.ts";

/** What a banner tells. */
export interface BannerFacts {
  readonly version: string;
  readonly addresses: Service["addresses"];
  readonly configuration: Configuration;
  /** The file that was read, if any. */
  readonly file: string | undefined;
  readonly storeAnswers: boolean;
  readonly paint: Paint;
}

const MINIMAL_FILE = `
    policies:
      api:
        limits:
          - { algorithm: token-bucket, capacity: 100, refill: 10/s }
`;

/** Writes the banner; it shows no password. */
export function writeBanner(facts: BannerFacts): string {
  const { addresses, configuration, file, paint } = facts;
  const { http, grpc, admin } = addresses;
  const { policy, path, method } = whatToAsk(configuration);
  const body = `{"policy":"${policy}","key":"user:42"}`;
  const url = `http://${authority(http)}`;
  const away = facts.storeAnswers
    ? ""
    : paint(
        "yellow",
        ", which does not answer yet: policies answer by onStoreFailure until it does",
      );
  const table = writeTable([
    ["HTTP", [paint("cyan", url)]],
    ["gRPC", [authority(grpc)]],
    ["Metrics", [`http://${authority(admin)}/metrics`]],
    ["Store", [`${sayStore(configuration)}${away}`]],
    ...sayPeers(configuration, addresses.peers?.port),
    ["Policies", sayPolicies(configuration)],
    ["From", [file ?? "no file: these are examples"]],
  ]);
  const ask = [
    `curl -sw '\\n' ${quoteHost(url)}${path} -H 'content-type: application/json' -d '${body}'`,
    `grpcurl -plaintext -d '${body}' ${quoteHost(authority(grpc))} tidegate.v1.RateLimiter/${method}`,
  ];
  const hint =
    file === undefined
      ? `\n  To serve your own limits, write them to tidegate.yaml and start again:\n${MINIMAL_FILE}`
      : "";
  const invitation =
    file === undefined ? "Ask it, six times in a row, and the sixth is denied:" : "Ask it:";
  return (
    `\n  ${paint("bold", `Tidegate ${facts.version}`)} is listening.\n\n${table}\n` +
    `  ${invitation}\n\n${ask.map((line) => `    ${line}\n`).join("")}${hint}\n  Ctrl-C stops it.\n\n`
  );
}

/** A call that is answered: permits are acquired and not checked. */
function whatToAsk({ policies }: Configuration) {
  const names = ["login", ...Object.keys(policies)];
  const policy = names.find((name) => {
    return policies[name]?.limits.every(({ algorithm }) => algorithm !== "concurrency");
  });
  return policy === undefined
    ? { policy: names[1]!, path: "/v1/acquire", method: "Acquire" }
    : { policy, path: "/v1/check", method: "CheckLimit" };
}

/** Writes host and port for callers on this machine: an address that means all of them is no address to call. */
function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  if (host === "0.0.0.0") return `127.0.0.1:${port}`;
  if (host === "::") return `localhost:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Shells expand brackets. */
function quoteHost(text: string): string {
  return text.includes("[") ? `'${text}'` : text;
}
