// tidegate.v1.RateLimiter: reads a request, asks the limiter, writes the answer. It never decides anything itself.

import type {
  MethodDefinition,
  ServerUnaryCall,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Limiter } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { ServiceTelemetry } from "../telemetry/service-telemetry.ts";
import {
  type Decoded,
  decodeBatchRequest,
  decodeCheckRequest,
  decodeEveryRequest,
  decodeHeldRequest,
  decodeReserveRequest,
  decodeSettleRequest,
  decodeStatusRequest,
} from "./read-requests.ts";
import { type CallStatus, invalidArgument, statusOf } from "./status.ts";
import {
  encodeDecision,
  encodeDecisions,
  encodeDone,
  encodeOnlyDecision,
  encodePermit,
  encodeReservation,
  encodeSettlement,
} from "./write-responses.ts";

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

const METHODS = [
  method("CheckLimit", decodeCheckRequest, encodeDecision, (limiter, request) => {
    return limiter.check(request);
  }),
  method("GetStatus", decodeStatusRequest, encodeDecision, (limiter, request) => {
    return limiter.peek(request);
  }),
  method("CheckLimits", decodeBatchRequest, encodeDecisions, (limiter, requests) => {
    return limiter.checkAll(requests);
  }),
  method("CheckEvery", decodeEveryRequest, encodeOnlyDecision, (limiter, { requests, id }) => {
    return limiter.checkEvery(requests, id === undefined ? {} : { id });
  }),
  method("Reserve", decodeReserveRequest, encodeReservation, (limiter, request) => {
    return limiter.reserve(request);
  }),
  method("Settle", decodeSettleRequest, encodeSettlement, (limiter, { held, actual }) => {
    return limiter.settle(held, actual);
  }),
  method("Refund", decodeCheckRequest, encodeOnlyDecision, (limiter, request) => {
    return limiter.refund(request);
  }),
  method("Acquire", decodeCheckRequest, encodePermit, (limiter, request) => {
    return limiter.acquire(request);
  }),
  method("Release", decodeHeldRequest, encodeDone, (limiter, permit) => limiter.release(permit)),
  method("Extend", decodeHeldRequest, encodeDone, (limiter, permit) => limiter.extend(permit)),
];

/** The methods as @grpc/grpc-js wants them. Only the server's side of the codec is here. */
export const rateLimiterDefinition: ServiceDefinition = Object.fromEntries(
  METHODS.map(({ name, definition }) => [name, definition]),
);

/** Creates the handlers for `rateLimiterDefinition`. */
export function createRateLimiterHandlers(
  options: RateLimiterServiceOptions,
): UntypedServiceImplementation {
  return Object.fromEntries(
    METHODS.map(({ name, createHandler }) => [name, createHandler(options)]),
  );
}

function method<Request, Response>(
  name: string,
  requestDeserialize: (bytes: Buffer) => Decoded<Request>,
  responseSerialize: (response: Response) => Buffer,
  ask: (limiter: Limiter, request: Request) => Promise<Response>,
) {
  const notHere = () => {
    throw new Error("this definition is the server's");
  };
  const definition: MethodDefinition<Decoded<Request>, Response> = {
    path: `/${RATE_LIMITER_SERVICE}/${name}`,
    requestStream: false,
    responseStream: false,
    requestDeserialize,
    responseSerialize,
    requestSerialize: notHere,
    responseDeserialize: notHere,
  };
  return {
    name,
    definition,
    createHandler: (options: RateLimiterServiceOptions) => handler(options, name, ask),
  };
}

function handler<Request, Response>(
  { limiter, telemetry, timers, unexpected }: RateLimiterServiceOptions,
  name: string,
  ask: (limiter: Limiter, request: Request) => Promise<Response>,
) {
  const observe = telemetry.timer("grpc", name);
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
    ask(limiter, request.value).then(
      (response) => {
        observe(timers.now() - startedMs);
        callback(null, response);
      },
      (error: unknown) => fail(statusOf(error, unexpected)),
    );
  };
}
