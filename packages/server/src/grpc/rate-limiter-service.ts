// tidegate.v1.RateLimiter: reads a request, asks the limiter, writes the decision. It never decides anything itself.

import type { MethodDefinition, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type { CheckRequest, Decision, Limiter } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { ServiceTelemetry } from "../telemetry/service-telemetry.ts";
import {
  type Decoded,
  decodeBatchRequest,
  decodeCheckRequest,
  encodeDecision,
  encodeDecisions,
} from "./messages.ts";
import { type CallStatus, invalidArgument, statusOf } from "./status.ts";

/** Full name of the service. */
export const RATE_LIMITER_SERVICE = "tidegate.v1.RateLimiter";

/** What the handlers need. */
export interface RateLimiterServiceOptions {
  readonly limiter: Limiter;
  readonly telemetry: ServiceTelemetry;
  readonly timers: Timers;
  /** Is told of an error that is nobody's request. */
  readonly unexpected: (error: unknown) => void;
}

/** The methods as @grpc/grpc-js wants them. Only the server's side of the codec is here. */
export const rateLimiterDefinition = {
  CheckLimit: method("CheckLimit", decodeCheckRequest, encodeDecision),
  GetStatus: method("GetStatus", decodeCheckRequest, encodeDecision),
  CheckLimits: method("CheckLimits", decodeBatchRequest, encodeDecisions),
};

/** Creates the handlers for `rateLimiterDefinition`. */
export function createRateLimiterHandlers(options: RateLimiterServiceOptions) {
  const { limiter } = options;
  return {
    CheckLimit: handler(options, "CheckLimit", (request: CheckRequest) => limiter.check(request)),
    GetStatus: handler(options, "GetStatus", (request: CheckRequest) => limiter.peek(request)),
    CheckLimits: handler(options, "CheckLimits", (requests: CheckRequest[]) => {
      return limiter.checkAll(requests);
    }),
  };
}

function method<Request, Response>(
  name: string,
  requestDeserialize: (bytes: Buffer) => Decoded<Request>,
  responseSerialize: (response: Response) => Buffer,
): MethodDefinition<Decoded<Request>, Response> {
  const notHere = () => {
    throw new Error("this definition is the server's");
  };
  return {
    path: `/${RATE_LIMITER_SERVICE}/${name}`,
    requestStream: false,
    responseStream: false,
    requestDeserialize,
    responseSerialize,
    requestSerialize: notHere,
    responseDeserialize: notHere,
  };
}

function handler<Request, Response extends Decision | Decision[]>(
  options: RateLimiterServiceOptions,
  name: string,
  decide: (request: Request) => Promise<Response>,
) {
  const { timers, unexpected } = options;
  const observe = options.telemetry.timer("grpc", name);
  return (
    call: ServerUnaryCall<Decoded<Request>, Response>,
    callback: sendUnaryData<Response>,
  ): void => {
    const startedMs = timers.now();
    const fail = (status: CallStatus) => {
      observe(timers.now() - startedMs);
      callback(status);
    };
    const { request } = call;
    if ("wrong" in request) {
      fail(invalidArgument(request.wrong));
      return;
    }
    decide(request.value).then(
      (response) => {
        observe(timers.now() - startedMs);
        callback(null, response);
      },
      (error: unknown) => fail(statusOf(error, unexpected)),
    );
  };
}
