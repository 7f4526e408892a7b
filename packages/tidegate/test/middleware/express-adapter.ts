// Express, in the terms of the middleware contract.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type express from "express";
import type { ErrorRequestHandler, Request, RequestHandler } from "express";
import { type RateLimitOptions, rateLimit } from "tidegate/express";
import type {
  GuardOptions,
  MiddlewareAdapter,
  RunningServer,
  SeenRequest,
} from "./contract-setup.ts";
import { watchChanges } from "./until.ts";

/** Creates the adapter for one version of Express. */
export function createExpressAdapter(
  name: string,
  createApplication: typeof express,
): MiddlewareAdapter {
  return {
    name,
    async serve({ guards, answer = () => 200, trustProxy }) {
      const application = createApplication();
      if (trustProxy !== undefined) application.set("trust proxy", trustProxy);
      for (const guard of guards) application.use(rateLimit(optionsOf(guard)));
      let handled = 0;
      const handle: RequestHandler = (req, res, next) => {
        handled += 1;
        const answered = (status: number) => void res.status(status).json(req.rateLimit ?? null);
        try {
          const status = answer(seen(req));
          if (typeof status === "number") answered(status);
          else status.then(answered, next);
        } catch (error) {
          next(error);
        }
      };
      application.use(handle);
      application.use(answerError);
      const running = await listen(application);
      return { ...running, handled: () => handled };
    },
  };
}

/** Answers errors as the contract expects. */
export const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
  const { code, field, message } = error as { code?: string; field?: string; message: string };
  res.status(500).json({ code, field, message });
};

/** Starts an application on a free port of loopback. */
export async function listen(
  application: express.Express,
): Promise<Omit<RunningServer, "handled">> {
  const server = await new Promise<Server>((resolve, reject) => {
    const starting = application.listen(0, "127.0.0.1", (error?: Error) => {
      if (error) reject(error);
      else resolve(starting);
    });
  });
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  let closed = 0;
  const changes = watchChanges();
  server.on("connection", (socket) => {
    socket.once("close", () => {
      closed += 1;
      changes.tell();
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    untilClosed: (count) => changes.until(() => closed >= count),
    close() {
      closing ??= new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

function optionsOf(guard: GuardOptions): RateLimitOptions {
  const { policy, key, cost, skip, onDenied, refundWhen, ...rest } = guard;
  return {
    ...rest,
    policy: typeof policy === "function" ? (req) => policy(seen(req)) : policy,
    ...(key === undefined ? {} : { key: (req) => key(seen(req)) }),
    ...(cost === undefined
      ? {}
      : { cost: typeof cost === "function" ? (req) => cost(seen(req)) : cost }),
    ...(skip === undefined ? {} : { skip: (req) => skip(seen(req)) }),
    ...(onDenied === undefined ? {} : { onDenied: DENIED[onDenied] }),
    ...(refundWhen === undefined
      ? {}
      : {
          refundWhen: (_req, res) =>
            refundWhen({ status: res.statusCode, sent: res.writableFinished }),
        }),
  };
}

const DENIED: Record<
  NonNullable<GuardOptions["onDenied"]>,
  NonNullable<RateLimitOptions["onDenied"]>
> = {
  answer: (_req, res, decision) => {
    res.status(418).send(decision.limitName);
  },
  pass: (_req, _res, _decision, next) => next(),
  throw: async () => {
    throw new Error("broken on purpose");
  },
};

function seen(req: Request): SeenRequest {
  return { path: req.path, header: (name) => req.get(name) };
}
