// Server reflection, v1 and v1alpha, so that grpcurl needs no file; loaded with the first call.

import { fileURLToPath } from "node:url";
import type { PackageDefinition } from "@grpc/proto-loader";
import { createLazyServices, type LazyServices } from "./lazy-services.ts";
import { RATE_LIMITER_SERVICE } from "./rate-limiter-service.ts";

const RATE_LIMITER_PROTO = "tidegate/v1/rate_limiter.proto";
const PROTO_FOLDER = fileURLToPath(new URL("../../proto/", import.meta.url));

/** Creates the reflection of the rate limiter and of health. */
export function createReflectionService(failed: (error: unknown) => void): LazyServices {
  return createLazyServices(
    [
      { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", streams: "both" },
      { path: "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", streams: "both" },
    ],
    async (target) => {
      const [{ loadDescriptors }, { ReflectionService }, { protoPath }] = await Promise.all([
        import("./descriptors.ts"),
        import("@grpc/reflection"),
        import("grpc-health-check"),
      ]);
      const fileDescriptorProtos = loadDescriptors([RATE_LIMITER_PROTO, protoPath], PROTO_FOLDER);
      // All that the service reads of a package's definitions are the descriptors that they carry.
      const definitions = { files: { format: "", type: {}, fileDescriptorProtos } };
      new ReflectionService(definitions as unknown as PackageDefinition, {
        services: [RATE_LIMITER_SERVICE, "grpc.health.v1.Health"],
      }).addToServer(target);
    },
    failed,
  );
}
