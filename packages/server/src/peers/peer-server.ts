// The door of the gossip: tidegate.v1.Peers on a port of its own. What comes in comes from strangers, and all that it
// may do is be handed on as bytes, or be refused and counted.

import {
  logVerbosity,
  type MethodDefinition,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import { listenError } from "../listen-error.ts";
import { DELIVER_PATH, decodeDeliverRequest, REQUEST_OVERHEAD } from "./deliver-codec.ts";
import { formatPeerAddress } from "./peer-address.ts";
import type { PeerTls } from "./peer-tls.ts";

/** Calls that one connection may have open at a time. */
const MAX_STREAMS = 64;

/** How long a connection may say nothing: nodes say something every second, and strangers must not hold sockets. */
const MAX_IDLE_MS = 300_000;

/** What the server is made of. */
export interface PeerServerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly tls: PeerTls | undefined;
  readonly maxMessageBytes: number;
  /** Takes a message; false where nobody is there yet. Must not throw. */
  readonly receive: (message: Uint8Array) => boolean;
  /** Is told of what was refused here: `bytes` is 0 where they were not looked at. */
  readonly refused: (reason: "malformed" | "too-large", bytes: number) => void;
}

/** A server that listens. */
export interface PeerServer {
  readonly port: number;
  /** Stops at once. */
  close(): Promise<void>;
}

/**
 * Starts to listen.
 * @throws TidegateError INVALID_OPTION, field "peersPort", where the port cannot be had.
 */
export async function startPeerServer(options: PeerServerOptions): Promise<PeerServer> {
  const { host, tls, maxMessageBytes, refused } = options;
  // As in the server of callers: it would print lines of its own.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": maxMessageBytes + REQUEST_OVERHEAD,
    "grpc.max_concurrent_streams": MAX_STREAMS,
    "grpc.max_connection_idle_ms": MAX_IDLE_MS,
    interceptors: [countTooLarge(refused)],
  });
  server.addService({ Deliver: DEFINITION }, { Deliver: createHandler(options) });
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : secured(tls);
  const bound = await new Promise<number>((resolve, reject) => {
    const address = formatPeerAddress({ host, port: options.port });
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(listenError("peersPort", host, options.port, error));
    });
  });
  return {
    port: bound,
    close() {
      // As in the server of callers: with channelz off nothing else cuts connections that are open.
      server.drain(formatPeerAddress({ host, port: bound }), 0);
      return new Promise((resolve) => server.tryShutdown(() => resolve()));
    },
  };
}

function secured({ cert, key, ca }: PeerTls): ServerCredentials {
  const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
  return ServerCredentials.createSsl(Buffer.from(ca), [pair], true);
}

const NOTHING = Buffer.alloc(0);

const DEFINITION: MethodDefinition<Buffer, Buffer> = {
  path: DELIVER_PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};

function createHandler({ receive, refused }: PeerServerOptions) {
  return ({ request }: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const message = decodeDeliverRequest(request);
    if (message === undefined) {
      refused("malformed", request.length);
      callback({ code: status.INVALID_ARGUMENT, details: "the request cannot be read" });
    } else if (!receive(message)) {
      callback({ code: status.UNAVAILABLE, details: "the node is starting or stopping" });
    } else {
      callback(null, NOTHING);
    }
  };
}

/** @grpc/grpc-js refuses what is too large by its first bytes, and tells nobody but the caller. */
function countTooLarge(refused: PeerServerOptions["refused"]): ServerInterceptor {
  return (_method, call) => {
    const sendStatus = call.sendStatus.bind(call);
    call.sendStatus = (answer) => {
      if (answer.code === status.RESOURCE_EXHAUSTED) refused("too-large", 0);
      sendStatus(answer);
    };
    return new ServerInterceptingCall(call);
  };
}
