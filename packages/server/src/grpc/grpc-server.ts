// The gRPC door: the rate limiter, health and reflection on one port.

import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { listenError } from "../listen-error.ts";
import { createHealthService } from "./health.ts";
import {
  createRateLimiterHandlers,
  type RateLimiterServiceOptions,
  rateLimiterDefinition,
} from "./rate-limiter-service.ts";
import { createReflectionService } from "./reflection.ts";

/** A gRPC server that listens. */
export interface GrpcServer {
  readonly port: number;
  /** Sets what gRPC health says. */
  setServing(serving: boolean): void;
  /** Takes no new calls; resolves when those in flight have been answered, or were cut off after `graceMs`. */
  drain(graceMs: number): Promise<void>;
}

/**
 * Starts the server.
 * @throws TidegateError INVALID_OPTION, field "grpcPort", where the port cannot be had.
 */
export async function startGrpcServer(
  options: RateLimiterServiceOptions & { readonly host: string; readonly port: number },
): Promise<GrpcServer> {
  const { host, unexpected } = options;
  // It would print lines of its own between those of the log; what it has to say is in the errors it gives.
  setLogVerbosity(logVerbosity.NONE);
  // Channelz keeps records of every call for a debugging service that is not offered here.
  const server = new Server({ "grpc.enable_channelz": 0 });
  server.addService(rateLimiterDefinition, createRateLimiterHandlers(options));
  const health = createHealthService(unexpected);
  const reflection = createReflectionService(unexpected);
  health.addToServer(server);
  reflection.addToServer(server);
  const port = await bind(server, host, options.port);
  let stopped: Promise<void> | undefined;
  const stop = (graceMs: number) => {
    // tryShutdown() alone would leave no way to cut what does not end: with channelz off, forceShutdown() of
    // @grpc/grpc-js 1.14 finds no connections, and drain() none that are closing already. So drain() comes first.
    server.drain(addressOf(host, port), graceMs);
    return new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
  };
  return {
    port,
    setServing: health.set,
    drain(graceMs) {
      health.endStreams();
      reflection.endStreams();
      stopped ??= stop(graceMs);
      return stopped;
    },
  };
}

function addressOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(addressOf(host, port), ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(listenError("grpcPort", host, port, error));
    });
  });
}
