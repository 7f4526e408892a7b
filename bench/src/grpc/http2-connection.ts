// A gRPC client that does next to nothing, so that the server is what a benchmark measures: one HTTP/2 connection,
// header blocks and messages encoded beforehand, frames of one turn in one write, answers told apart by stream number
// and kept as bytes. Not a general client: it relies on what the benchmark sends being small.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const FLAG = { ack: 1, endStream: 1, endHeaders: 4 };
const HEADER_BYTES = 9;
/** Of gRPC: before a message, whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
/** Bytes received after which the peer is told that it may send as many more. */
const WINDOW_STEP = 1 << 20;

interface Pending {
  readonly resolve: (messageBytes: number) => void;
  readonly reject: (error: Error) => void;
  messageBytes: number;
  /** The message itself, where it is wanted. */
  readonly parts: Buffer[] | undefined;
}

/** Encodes the header block of a unary call: static table and literals, nothing indexed. */
export function encodeHeaders(path: string): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]), // :method POST, :scheme http, :path
    text(path),
    Buffer.from([0x01]), // :authority
    text("127.0.0.1"),
    Buffer.from([0x0f, 0x10]), // content-type
    text("application/grpc"),
    Buffer.from([0x00]),
    text("te"),
    text("trailers"),
  ]);
}

/** One connection; calls of one turn of the event loop go out in one write. */
export class Http2Connection {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #nextStream = 1;
  #out: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#read(data));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
    socket.on("error", (error) => this.#fail(error));
  }

  /** Opens a connection, to a port of the loopback unless told otherwise. */
  static async open(port: number, host = "127.0.0.1"): Promise<Http2Connection> {
    const socket = connect({ port, host, noDelay: true });
    await once(socket, "connect");
    const connection = new Http2Connection(socket);
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(1, 0); // HEADER_TABLE_SIZE 0: the server may index nothing
    settings.writeUInt16BE(4, 6); // INITIAL_WINDOW_SIZE
    settings.writeUInt32BE(1 << 24, 8);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.#send(FRAME.settings, 0, 0, settings);
    connection.#send(FRAME.windowUpdate, 0, 0, uint32(1 << 30));
    return connection;
  }

  /** Makes a unary call; resolves to the bytes of the answer's message, rejects where there is none. */
  call(headers: Buffer, message: Buffer): Promise<number> {
    return this.#call(headers, message, undefined);
  }

  /** Makes a unary call; resolves to the answer's message. */
  async ask(headers: Buffer, message: Buffer): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.#call(headers, message, parts);
    return Buffer.concat(parts).subarray(PREFIX_BYTES);
  }

  /** Ends it; calls that are not answered reject. */
  close(): void {
    this.#socket.destroy();
  }

  #call(headers: Buffer, message: Buffer, parts: Buffer[] | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const stream = this.#nextStream;
      this.#nextStream += 2;
      this.#pending.set(stream, { resolve, reject, messageBytes: -1, parts });
      this.#send(FRAME.headers, FLAG.endHeaders, stream, headers);
      this.#send(FRAME.data, FLAG.endStream, stream, message);
    });
  }

  #send(type: number, flags: number, stream: number, payload: Buffer): void {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = flags;
    header.writeUInt32BE(stream, 5);
    if (this.#out.length === 0) setImmediate(() => this.#flush());
    this.#out.push(header, payload);
  }

  #flush(): void {
    this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #read(data: Buffer): void {
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + HEADER_BYTES + length;
      if (end > bytes.length) break;
      const payload = bytes.subarray(at + HEADER_BYTES, end);
      this.#frame(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5), payload);
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    const pending = this.#pending.get(stream);
    if (type === FRAME.data && pending !== undefined) {
      pending.messageBytes = Math.max(pending.messageBytes, 0) + payload.length;
      pending.parts?.push(payload);
      this.#received += payload.length;
      if (this.#received >= WINDOW_STEP) {
        this.#send(FRAME.windowUpdate, 0, 0, uint32(this.#received));
        this.#received = 0;
      }
    } else if (type === FRAME.headers && (flags & FLAG.endStream) !== 0) {
      this.#pending.delete(stream);
      // A gRPC error comes as trailers alone.
      if (pending === undefined || pending.messageBytes < 0) {
        pending?.reject(new Error(`a call failed: ${payload.toString("latin1")}`));
      } else {
        pending.resolve(pending.messageBytes);
      }
    } else if (type === FRAME.settings && (flags & FLAG.ack) === 0) {
      this.#send(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0));
    } else if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
      this.#send(FRAME.ping, FLAG.ack, 0, Buffer.from(payload));
    } else if (type === FRAME.reset || type === FRAME.goAway) {
      this.#fail(new Error(`the server sent frame ${type}: ${payload.toString("hex")}`));
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
