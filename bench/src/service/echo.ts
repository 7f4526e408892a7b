// The least that a server can do, in a process of its own. Arguments: "unary", for a gRPC server set up as Tidegate's,
// or "http", for node:http; and how many bytes its answer has.

import { once } from "node:events";
import { createServer } from "node:http";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import { answerMeasurements } from "../process/answer.ts";

const [kind, bytesText] = process.argv.slice(2);
const bytes = Number(bytesText);

const port = kind === "http" ? await startHttp() : await startGrpc();
answerMeasurements({ port }, async () => ({}));

async function startGrpc(): Promise<number> {
  const server = new Server({ "grpc.enable_channelz": 0 });
  const same = (message: Buffer) => message;
  // Five of the bytes are gRPC's own.
  const answer = Buffer.alloc(bytes - 5, "x");
  const echo = {
    path: "/tidegate.v1.RateLimiter/CheckLimit",
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { echo },
    { echo: (_call: unknown, callback: sendUnaryData<Buffer>) => callback(null, answer) },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}

async function startHttp(): Promise<number> {
  const padding = "x".repeat(
    Math.max(bytes - '{"policy":"api","key":"user:1000000","x":""}'.length, 0),
  );
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as object;
      const text = JSON.stringify({ ...body, x: padding });
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
      });
      response.end(text);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}
