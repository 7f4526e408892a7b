// An HTTP/1.1 client that does next to nothing: keep-alive sockets, one request at a time on each, requests encoded
// beforehand, of an answer only the status and the length looked at.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

const SEPARATOR = "\r\n\r\n";

interface Exchange {
  readonly request: Buffer;
  readonly resolve: (bodyBytes: number) => void;
  readonly reject: (error: Error) => void;
}

/** A pool of sockets; requests beyond their number wait. */
export class Http1Connections {
  readonly #idle: Socket[] = [];
  readonly #waiting: Exchange[] = [];
  readonly #current = new Map<Socket, Exchange>();

  /** Opens `count` sockets to a port of the loopback. */
  static async open(port: number, count: number): Promise<Http1Connections> {
    const connections = new Http1Connections();
    for (let index = 0; index < count; index += 1) {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      await once(socket, "connect");
      connections.#add(socket);
    }
    return connections;
  }

  /** Sends a request; resolves to the bytes of the body of a 200, rejects for any other answer. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      const exchange = { request, resolve, reject };
      const socket = this.#idle.pop();
      if (socket === undefined) this.#waiting.push(exchange);
      else this.#start(socket, exchange);
    });
  }

  #start(socket: Socket, exchange: Exchange): void {
    this.#current.set(socket, exchange);
    socket.write(exchange.request);
  }

  #add(socket: Socket): void {
    let received: Buffer = Buffer.alloc(0);
    const fail = () => this.#current.get(socket)?.reject(new Error("the connection was closed"));
    socket.on("close", fail);
    socket.on("error", fail);
    socket.on("data", (data) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      const bodyAt = received.indexOf(SEPARATOR);
      if (bodyAt < 0) return;
      const head = received.toString("latin1", 0, bodyAt);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (received.length < bodyAt + SEPARATOR.length + length) return;
      received = Buffer.alloc(0);
      const exchange = this.#current.get(socket)!;
      this.#current.delete(socket);
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(socket);
      else this.#start(socket, next);
      if (head.startsWith("HTTP/1.1 200 ")) exchange.resolve(length);
      else exchange.reject(new Error(head));
    });
    this.#idle.push(socket);
  }
}

/** Encodes a POST of JSON. */
export function encodePost(path: string, body: string): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}${SEPARATOR}${body}`,
  );
}
