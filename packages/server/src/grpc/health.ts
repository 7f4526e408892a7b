// grpc.health.v1.Health for the whole server ("") and the rate limiter, loaded with the first call.

import { createLazyServices, type LazyServices } from "./lazy-services.ts";
import { RATE_LIMITER_SERVICE } from "./rate-limiter-service.ts";

/** Health over gRPC. */
export interface HealthService extends LazyServices {
  /** Sets both statuses, and tells whoever watches them. */
  set(serving: boolean): void;
}

const NAMES = ["", RATE_LIMITER_SERVICE];

/** Creates the service, NOT_SERVING at first. */
export function createHealthService(failed: (error: unknown) => void): HealthService {
  let status: "SERVING" | "NOT_SERVING" = "NOT_SERVING";
  let apply = (): void => undefined;
  const services = createLazyServices(
    [
      { path: "/grpc.health.v1.Health/Check", streams: "none" },
      { path: "/grpc.health.v1.Health/List", streams: "none" },
      { path: "/grpc.health.v1.Health/Watch", streams: "responses" },
    ],
    async (target) => {
      const { HealthImplementation } = await import("grpc-health-check");
      const implementation = new HealthImplementation();
      apply = () => {
        for (const name of NAMES) implementation.setStatus(name, status);
      };
      apply();
      implementation.addToServer(target);
    },
    failed,
  );
  return {
    ...services,
    set(serving) {
      const next = serving ? "SERVING" : "NOT_SERVING";
      if (next === status) return;
      status = next;
      apply();
    },
  };
}
