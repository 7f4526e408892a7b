// The connection to one node: kept, made anew where it breaks or is silent, and never more waiting than a few messages.
// It speaks gRPC through node:http2 itself, for @grpc/grpc-js 1.14 bounds neither the time of a handshake nor what it
// holds for a node that is frozen, and after a partition waits for TCP's own retries.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Timers } from "../runtime/timers.ts";
import { DELIVER_PATH, encodeDeliverFrame } from "./deliver-codec.ts";
import type { PeerAddress } from "./peer-address.ts";
import type { PeerTls } from "./peer-tls.ts";

/** Messages that wait at most; the newest says more than the oldest. */
export const MAX_QUEUE = 8;
/** Messages on their way at most. */
const MAX_IN_FLIGHT = 4;
/** How long a connection, or an answer, may take. */
export const ANSWER_TIMEOUT_MS = 2_000;
/** From when on it is a reason that nothing was answered yet. */
const QUIET_MS = 500;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1_000;

/** Why a message was given up: too many waited, the node could not be reached or refused it, or it was too large. */
export type LossReason = "queue" | "unreachable" | "refused" | "too-large";

/** What a link is made of. */
export interface PeerLinkOptions {
  readonly address: PeerAddress;
  readonly tls: PeerTls | undefined;
  readonly timers: Pick<Timers, "now" | "after" | "afterTurn">;
  /** Is told of each message that is given up. */
  readonly lost: (reason: LossReason) => void;
}

/** A connection that is made or being made. */
interface Connection {
  readonly session: ClientHttp2Session;
  readonly socket: Socket;
  readonly streams: Set<ClientHttp2Stream>;
  ready: boolean;
  /** Since when something is waited for, while something is. */
  quietSinceMs: number;
  cancel: () => void;
}

const HEADERS = {
  [constants.HTTP2_HEADER_METHOD]: "POST",
  [constants.HTTP2_HEADER_PATH]: DELIVER_PATH,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
  [constants.HTTP2_HEADER_TE]: "trailers",
};

/** A link to one node. It connects with the first message. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #queue: Uint8Array[] = [];
  #connection: Connection | undefined;
  #closed = false;
  #failures = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #reason: string | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
  }

  /** Why the node could not be reached or refused a message, if that is how it was at the last try, or is now. */
  get reason(): string | undefined {
    const connection = this.#connection;
    if (connection === undefined || (connection.ready && connection.streams.size === 0)) {
      return this.#reason;
    }
    const quietMs = Math.round(this.#options.timers.now() - connection.quietSinceMs);
    if (quietMs < QUIET_MS) return this.#reason;
    return `no ${connection.ready ? "answer" : "connection"} for ${quietMs} ms`;
  }

  /** Sends a message, or gives it up. */
  send(message: Uint8Array): void {
    const { timers, lost } = this.#options;
    if (this.#closed || (this.#connection === undefined && timers.now() < this.#retryAtMs)) {
      lost("unreachable");
      return;
    }
    this.#queue.push(message);
    if (this.#queue.length > MAX_QUEUE) {
      this.#queue.shift();
      lost("queue");
    }
    this.#connection ??= this.#connect();
    this.#pump(this.#connection);
  }

  /** Resolves once nothing waits and nothing is on its way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
      this.#noteIdle();
    });
  }

  /** Ends the connection, with all that has not arrived. */
  close(): void {
    this.#closed = true;
    const connection = this.#connection;
    if (connection !== undefined) this.#end(connection);
  }

  #connect(): Connection {
    const { address, timers } = this.#options;
    const socket = this.#openSocket();
    const scheme = this.#options.tls === undefined ? "http" : "https";
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    const session = connect(`${scheme}://${host}:${address.port}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    const connection: Connection = {
      session,
      socket,
      streams: new Set(),
      ready: false,
      quietSinceMs: timers.now(),
      cancel: this.#afterSilence(() => {
        if (!connection.ready) this.#fail(connection, silence("connection"));
      }),
    };
    // A connection is one once the other side has spoken HTTP/2: any listener accepts, even a frozen one.
    session.once("remoteSettings", () => {
      connection.cancel();
      connection.ready = true;
      this.#pump(connection);
    });
    const fail = (error?: Error) => this.#fail(connection, reasonOf(error));
    socket.on("error", fail);
    session.on("error", fail);
    session.on("goaway", () => fail(new Error("the node ended the connection")));
    session.on("close", () => fail());
    return connection;
  }

  #openSocket(): Socket {
    const { address, tls } = this.#options;
    if (tls === undefined) return connectTcp({ ...address, noDelay: true });
    const { cert, key, ca, name } = tls;
    const servername = name === undefined ? {} : { servername: name };
    const socket = connectTls({ ...address, cert, key, ca, ...servername, ALPNProtocols: ["h2"] });
    socket.setNoDelay();
    return socket;
  }

  #pump(connection: Connection): void {
    const { streams } = connection;
    while (connection.ready && streams.size < MAX_IN_FLIGHT && this.#queue.length > 0) {
      if (!this.#deliver(connection, this.#queue.shift()!)) return;
    }
    this.#noteIdle();
  }

  /** @returns false where the connection failed. */
  #deliver(connection: Connection, message: Uint8Array): boolean {
    const { timers, lost } = this.#options;
    const { socket, streams } = connection;
    let stream: ClientHttp2Stream;
    try {
      stream = connection.session.request(HEADERS);
    } catch (error) {
      lost("unreachable");
      this.#fail(connection, reasonOf(error as Error));
      return false;
    }
    const { bytesRead } = socket;
    let status: string | undefined;
    let details = "";
    const cancel = this.#afterSilence(() => {
      if (!streams.has(stream)) return;
      if (status === undefined) this.#reason = silence("answer");
      // A node that says anything is slow, and there: only the message is given up, or an answer that does not end.
      if (socket.bytesRead > bytesRead) stream.close(constants.NGHTTP2_CANCEL);
      else this.#fail(connection, silence("answer"));
    });
    const read = (headers: Record<string, unknown>) => {
      status ??= headers["grpc-status"]?.toString();
      details ||= decode(headers["grpc-message"]?.toString() ?? "");
    };
    if (streams.size === 0) connection.quietSinceMs = timers.now();
    streams.add(stream);
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("error", () => undefined);
    stream.once("close", () => {
      cancel();
      streams.delete(stream);
      if (status === undefined) lost("unreachable");
      else this.#answered(connection, status, details);
      this.#pump(connection);
    });
    stream.resume();
    stream.end(encodeDeliverFrame(message));
    return true;
  }

  #answered(connection: Connection, status: string, details: string): void {
    connection.quietSinceMs = this.#options.timers.now();
    this.#failures = 0;
    if (status === "0") {
      this.#reason = undefined;
      return;
    }
    this.#options.lost("refused");
    this.#reason = `the node answered with gRPC status ${clip(status)}: ${clip(details)}`;
  }

  /** Does what is due where something is waited for in vain. */
  #afterSilence(work: () => void): () => void {
    const { timers } = this.#options;
    // Where this process was busy for that long, what has arrived meanwhile is read first.
    return timers.after(ANSWER_TIMEOUT_MS, () => timers.afterTurn(work));
  }

  #fail(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return;
    const { timers } = this.#options;
    this.#reason = reason;
    const waitMs = Math.min(RETRY_MS_MIN * 2 ** Math.min(this.#failures, 8), RETRY_MS_MAX);
    this.#failures += 1;
    this.#retryAtMs = timers.now() + waitMs;
    this.#end(connection);
    this.#noteIdle();
  }

  #end(connection: Connection): void {
    this.#connection = undefined;
    connection.cancel();
    connection.ready = false;
    connection.session.destroy();
    connection.socket.destroy();
    for (const _ of this.#queue.splice(0)) this.#options.lost("unreachable");
  }

  #noteIdle(): void {
    const busy = this.#queue.length > 0 || (this.#connection?.streams.size ?? 0) > 0;
    if (!busy) this.#whenIdle?.();
  }
}

const silence = (awaited: string) => `no ${awaited} within ${ANSWER_TIMEOUT_MS} ms`;

function reasonOf(error: Error | undefined): string {
  // A host with several addresses fails with an AggregateError, which has a code but no message.
  const { message, code } = (error ?? {}) as { message?: string; code?: string };
  return clip(message || code || "the connection was closed");
}

/** gRPC percent-encodes what it says, and another node may say anything. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Shortens what another one wrote, for a line of the log. */
function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}
