// The routes under /v1: what each reads, asks of the limiter, and answers.

import type { FastifyRequest } from "fastify";
import { type Decision, type Limiter, rateLimitHeaders } from "tidegate";
import {
  decisionJson,
  decisionsJson,
  permitJson,
  reservationJson,
  settlementJson,
} from "./decision-json.ts";
import {
  readBatchBody,
  readCheckBody,
  readEveryBody,
  readHeldBody,
  readReserveBody,
  readSettleBody,
  readStatusQuery,
} from "./request-body.ts";

/** A route. Its name is the last part of its path, and the `method` of its metric. */
export interface LimiterRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly name: string;
  /** Reads the request, asks, and writes the answer. Throws at once where the request is wrong. */
  answer(request: FastifyRequest, limiter: Limiter): Promise<WrittenAnswer>;
}

/** A body, and the header fields of a decision. */
export interface WrittenAnswer {
  readonly json: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** All of them. */
export const LIMITER_ROUTES: readonly LimiterRoute[] = [
  post("check", readCheckBody, {
    ask: (limiter, request) => limiter.check(request),
    write: decisionJson,
    headers: headersOf,
  }),
  post("check-all", readBatchBody, {
    ask: (limiter, requests) => limiter.checkAll(requests),
    write: decisionsJson,
  }),
  post("check-every", readEveryBody, {
    ask: (limiter, { requests, id }) => {
      return limiter.checkEvery(requests, id === undefined ? {} : { id });
    },
    write: decisionJson,
    headers: headersOf,
  }),
  route("GET", "status", ({ query, url }) => readStatusQuery(query, url), {
    ask: (limiter, request) => limiter.peek(request),
    write: decisionJson,
    headers: headersOf,
  }),
  post("reserve", readReserveBody, {
    ask: (limiter, request) => limiter.reserve(request),
    write: reservationJson,
    headers: headersOf,
  }),
  post("settle", readSettleBody, {
    ask: (limiter, { actual, ...held }) => limiter.settle(held, actual),
    write: settlementJson,
    headers: headersOf,
  }),
  post("refund", readCheckBody, {
    ask: (limiter, request) => limiter.refund(request),
    write: decisionJson,
    headers: headersOf,
  }),
  post("acquire", readCheckBody, {
    ask: (limiter, request) => limiter.acquire(request),
    write: permitJson,
    headers: headersOf,
  }),
  post("release", readHeldBody, {
    ask: (limiter, permit) => limiter.release(permit),
    write: (released) => `{"released":${released}}`,
  }),
  post("extend", readHeldBody, {
    ask: (limiter, permit) => limiter.extend(permit),
    write: (extended) => `{"extended":${extended}}`,
  }),
];

interface Steps<Read, Answer> {
  readonly ask: (limiter: Limiter, read: Read) => Promise<Answer>;
  readonly write: (answer: Answer) => string;
  readonly headers?: (answer: Answer, limiter: Limiter) => Readonly<Record<string, string>>;
}

function post<Read, Answer>(
  name: string,
  read: (body: unknown) => Read,
  steps: Steps<Read, Answer>,
): LimiterRoute {
  return route("POST", name, (request) => read(request.body), steps);
}

function route<Read, Answer>(
  method: LimiterRoute["method"],
  name: string,
  read: (request: FastifyRequest) => Read,
  { ask, write, headers }: Steps<Read, Answer>,
): LimiterRoute {
  return {
    method,
    path: `/v1/${name}`,
    name,
    answer(request, limiter) {
      return ask(limiter, read(request)).then((answer) => {
        return { json: write(answer), headers: headers?.(answer, limiter) };
      });
    },
  };
}

function headersOf(decision: Decision, limiter: Limiter): Record<string, string> {
  return { ...rateLimitHeaders(decision, limiter.describe(decision.policy)) };
}
