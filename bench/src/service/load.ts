// The load generator, in a process of its own. Arguments: "unary", "batch" or "http", and the port.

import { encodeHeaders, Http2Connection } from "../grpc/http2-connection.ts";
import { encodeBatch, encodeCheck, framed } from "../grpc/messages.ts";
import { answerMeasurements } from "../process/answer.ts";
import { closedLoop, openLoop, type Send } from "../process/load.ts";
import { encodePost, Http1Connections } from "./http1-connections.ts";

const [kind, portText] = process.argv.slice(2);
const port = Number(portText);
const KEYS = 10_000;
const HTTP_SOCKETS = 64;
const GRPC_CONNECTIONS = 4;

const { send, concurrency, decisions } = await createLoad();

async function createLoad(): Promise<{ send: Send; concurrency: number; decisions: number }> {
  const keys = Array.from({ length: KEYS }, (_, index) => `user:${1_000_000 + index}`);
  if (kind === "http") {
    const connections = await Http1Connections.open(port, HTTP_SOCKETS);
    const requests = keys.map((key) =>
      encodePost("/v1/check", JSON.stringify({ policy: "api", key })),
    );
    return {
      send: (index) => connections.send(requests[index % KEYS]!),
      concurrency: HTTP_SOCKETS,
      decisions: 1,
    };
  }
  const connections: Http2Connection[] = [];
  for (let index = 0; index < GRPC_CONNECTIONS; index += 1) {
    connections.push(await Http2Connection.open(port));
  }
  const batched = kind === "batch";
  const headers = encodeHeaders(
    `/tidegate.v1.RateLimiter/${batched ? "CheckLimits" : "CheckLimit"}`,
  );
  const size = batched ? 100 : 1;
  const messages = Array.from({ length: KEYS / size }, (_, index) => {
    const of = keys.slice(index * size, (index + 1) * size);
    return framed(batched ? encodeBatch("api", of) : encodeCheck("api", of[0]!));
  });
  return {
    send: (index) =>
      connections[index % GRPC_CONNECTIONS]!.call(headers, messages[index % messages.length]!),
    concurrency: batched ? 16 : 128,
    decisions: size,
  };
}

const answerBytes = Number(await send(0));

answerMeasurements({ answerBytes }, async ({ sliceMs, perSecond }) => {
  if (typeof perSecond === "number") {
    return { ...(await openLoop(send, perSecond / decisions, sliceMs as number)) };
  }
  const before = process.cpuUsage();
  const calls = await closedLoop(send, concurrency, sliceMs as number);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / ((sliceMs as number) * 10);
  return { perSecond: calls * decisions, share };
});
