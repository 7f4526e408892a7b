// A Redis that is not the demo's to kill: a proxy in this process lies before it, and cuts its connections or holds
// them up. The Redis itself, and whoever else uses it, notices nothing.

import { createServer, connect as openSocket, type Server, type Socket } from "node:net";
import { TidegateError } from "tidegate";
import { parseRedisUrl, redactRedisUrl } from "tidegate/redis";
import { checkStore } from "../config/values.ts";
import type { FailingRedis } from "./failing-redis.ts";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/**
 * Puts a proxy before a Redis.
 * @throws TidegateError INVALID_OPTION where the address is wrong, or not one of a single server without TLS.
 */
export async function cutConnectionsTo(url: string): Promise<FailingRedis> {
  const { host, port, login, database } = readUrl(url);
  const pairs = new Set<Pair>();
  let frozen = false;
  const accept = (near: Socket) => {
    const far = openSocket(port, host);
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on("error", end);
      from.on("close", end);
      from.pipe(to);
      if (frozen) hold(from, to);
    }
  };
  let server = await listen(accept, 0);
  const address = server.address() as { port: number };
  const kill = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
    await closed;
  };
  return {
    url: `redis://${login}127.0.0.1:${address.port}/${database}`,
    name: `${redactRedisUrl(url)}, through a proxy on port ${address.port}`,
    states: { kill: "cut off", freeze: "held up" },
    async kill() {
      await kill();
      return "All connections to Redis are cut, and new ones refused. It is not the demo's to kill, and runs on.";
    },
    async revive() {
      server = await listen(accept, address.port);
      return "Connections to Redis are let through again. It has kept its counts.";
    },
    freeze() {
      frozen = true;
      for (const { near, far } of pairs) {
        hold(near, far);
        hold(far, near);
      }
      return "Nothing is passed on any more, to Redis or back, with the connections open.";
    },
    thaw() {
      frozen = false;
      for (const { near, far } of pairs) {
        near.pipe(far);
        far.pipe(near);
      }
      return "Everything is passed on again, and with what was held up meanwhile.";
    },
    async close() {
      if (server.listening) await kill();
      return "The proxy is closed; the Redis runs on.";
    },
  };
}

function hold(from: Socket, to: Socket): void {
  from.unpipe(to);
  from.pause();
}

function listen(accept: (socket: Socket) => void, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(accept);
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function readUrl(url: string) {
  const checked = checkStore(url);
  if ("wrong" in checked || url === "memory") {
    const wrong = "wrong" in checked ? checked.wrong : "must be the address of a Redis";
    const message = `--redis ${wrong.replace("must be memory, ", "must be ")}`;
    throw new TidegateError("INVALID_OPTION", message);
  }
  const { kind, tls, nodes, username = "", password, database } = parseRedisUrl(url);
  if (kind !== "single" || tls) {
    throw new TidegateError(
      "INVALID_OPTION",
      `--redis must be one server without TLS where --chaos is given, such as redis://127.0.0.1:6379, got "` +
        `${redactRedisUrl(url)}": what stands between is a proxy for one server, which reads nothing`,
    );
  }
  const secret = password === undefined ? "" : `:${encodeURIComponent(password)}`;
  const login = username + secret === "" ? "" : `${encodeURIComponent(username)}${secret}@`;
  return { ...nodes[0]!, login, database };
}
