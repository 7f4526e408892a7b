// Says what the figures were measured on. No date and no host name: the figures are ratios of one run.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";

/** Describes the machine and the versions that took part, as Markdown. */
export function describeMachine(): string {
  const processors = cpus();
  const require = createRequire(import.meta.url);
  const versionOf = (name: string) => {
    const path = require.resolve.paths(name)!.map((folder) => `${folder}/${name}/package.json`);
    for (const file of path) {
      try {
        return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
      } catch {}
    }
    throw new Error(`${name} is not installed`);
  };
  return [
    `Node ${process.version}`,
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}`,
    `Redis ${redisVersion()}`,
    `ioredis ${versionOf("ioredis")}`,
    `rate-limiter-flexible ${versionOf("rate-limiter-flexible")}`,
    `@grpc/grpc-js ${versionOf("@grpc/grpc-js")}`,
  ].join(", ");
}

function redisVersion(): string {
  const command = process.env.TIDEGATE_REDIS_SERVER ?? "redis-server";
  const text = execFileSync(command, ["--version"], { encoding: "utf8" });
  return /v=([\d.]+)/.exec(text)?.[1] ?? "of an unknown version";
}
