// The gRPC door: the rate limiter, health and reflection on one port.

import { Server, ServerCredentials } from "@grpc/grpc-js";
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
  /** Takes no new calls; resolves when the calls in flight have been answered. */
  drain(): Promise<void>;
  /** Cuts what is left. */
  close(): void;
}

/**
 * Starts the server.
 * @throws TidegateError INVALID_OPTION, field "grpcPort", where the port cannot be had.
 */
export async function startGrpcServer(
  options: RateLimiterServiceOptions & { readonly host: string; readonly port: number },
): Promise<GrpcServer> {
  const { host, unexpected } = options;
  // Channelz keeps records of every call for a debugging service that is not offered here.
  const server = new Server({ "grpc.enable_channelz": 0 });
  server.addService(rateLimiterDefinition, createRateLimiterHandlers(options));
  const health = createHealthService(unexpected);
  const reflection = createReflectionService(unexpected);
  health.addToServer(server);
  reflection.addToServer(server);
  const port = await bind(server, host, options.port);
  return {
    port,
    setServing: health.set,
    drain() {
      health.endStreams();
      reflection.endStreams();
      return new Promise((resolve) => {
        server.tryShutdown(() => resolve());
      });
    },
    close: () => server.forceShutdown(),
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(listenError("grpcPort", host, port, error));
    });
  });
}
