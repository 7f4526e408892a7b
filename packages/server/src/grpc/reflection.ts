// Server reflection, v1 and v1alpha, so that grpcurl needs no file; loaded with the first call.

import { fileURLToPath } from "node:url";
import { createLazyServices, type LazyServices } from "./lazy-services.ts";
import { RATE_LIMITER_SERVICE } from "./rate-limiter-service.ts";

const PROTO_FOLDER = fileURLToPath(new URL("../../proto/", import.meta.url));

/** Creates the reflection of the rate limiter, of health, and of itself. */
export function createReflectionService(failed: (error: unknown) => void): LazyServices {
  return createLazyServices(
    [
      { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", streams: "both" },
      { path: "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", streams: "both" },
    ],
    async (target) => {
      const [{ loadSync }, { ReflectionService }, { protoPath }] = await Promise.all([
        import("@grpc/proto-loader"),
        import("@grpc/reflection"),
        import("grpc-health-check"),
      ]);
      const definitions = {
        ...loadSync("tidegate/v1/rate_limiter.proto", {
          includeDirs: [PROTO_FOLDER],
          keepCase: true,
        }),
        ...loadSync(protoPath, { keepCase: true }),
      };
      new ReflectionService(definitions, {
        services: [RATE_LIMITER_SERVICE, "grpc.health.v1.Health"],
      }).addToServer(target);
    },
    failed,
  );
}
