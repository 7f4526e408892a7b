// gRPC services that are seldom called and slow to load: their methods are registered at once, and their code is
// loaded with the first call. Messages pass through as bytes until then, so nothing of them is needed to start.

import type { EventEmitter } from "node:events";
import {
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

type Bytes = Buffer<ArrayBufferLike>;
type AnyDefinition = MethodDefinition<unknown, unknown>;
type AnyHandler = (call: unknown, callback: sendUnaryData<unknown>) => void;
type Stream = ServerWritableStream<Bytes, Bytes> | ServerDuplexStream<Bytes, Bytes>;
type Call = ServerUnaryCall<Bytes, Bytes> | Stream;

interface LoadedMethod {
  readonly definition: AnyDefinition;
  readonly handle: AnyHandler;
}

/** Takes services the way a gRPC server does. */
export type ServiceTarget = Pick<Server, "addService">;

/** A method's path, and which sides of it stream. */
export interface LazyMethod {
  readonly path: string;
  readonly streams: "none" | "responses" | "both";
}

/** Services that load with their first call. */
export interface LazyServices {
  addToServer(server: ServiceTarget): void;
  /** Ends the streams that are open, with UNAVAILABLE: they would keep a stopping server waiting for ever. */
  endStreams(): void;
}

/**
 * Creates services of the given methods.
 * @param load adds the real services to its target; called once.
 * @param failed is told where loading or calling one throws; the caller gets INTERNAL.
 */
export function createLazyServices(
  methods: readonly LazyMethod[],
  load: (target: ServiceTarget) => Promise<void>,
  failed: (error: unknown) => void,
): LazyServices {
  const streams = new Set<Stream>();
  let loading: Promise<Map<string, LoadedMethod>> | undefined;

  async function call(path: string, incoming: Call, callback: sendUnaryData<Bytes>): Promise<void> {
    loading ??= loadMethods(load);
    // A load that failed is tried anew by the next call.
    loading.catch(() => {
      loading = undefined;
    });
    const loaded = (await loading).get(path);
    if (loaded === undefined) throw new Error(`${path} is registered, but was not loaded`);
    const { definition, handle } = loaded;
    const shown = withMessages(incoming, definition);
    if (shown === undefined) {
      const refusal = { code: status.INVALID_ARGUMENT, details: "the message cannot be read" };
      if ("request" in incoming && !("write" in incoming)) callback(refusal);
      else endWith(incoming as Stream, refusal.code, refusal.details);
      return;
    }
    handle(shown, (error, value) => {
      if (error) callback(error);
      else callback(null, definition.responseSerialize(value) as Bytes);
    });
  }

  function handlerFor({ path, streams: kind }: LazyMethod) {
    if (kind === "none") {
      return (incoming: ServerUnaryCall<Bytes, Bytes>, callback: sendUnaryData<Bytes>) => {
        call(path, incoming, callback).catch((error: unknown) => {
          failed(error);
          callback({ code: status.INTERNAL, details: "internal error" });
        });
      };
    }
    return (incoming: Stream) => {
      streams.add(incoming);
      incoming.once("close", () => streams.delete(incoming));
      call(path, incoming, () => undefined).catch((error: unknown) => {
        failed(error);
        endWith(incoming, status.INTERNAL, "internal error");
      });
    };
  }

  return {
    addToServer(server) {
      const definition: Record<string, MethodDefinition<Bytes, Bytes>> = {};
      const handlers: UntypedServiceImplementation = {};
      for (const method of methods) {
        definition[method.path] = passThrough(method);
        handlers[method.path] = handlerFor(method);
      }
      server.addService(definition, handlers);
    },
    endStreams() {
      for (const stream of streams) {
        endWith(stream, status.UNAVAILABLE, "the service is stopping");
      }
      streams.clear();
    },
  };
}

async function loadMethods(
  load: (target: ServiceTarget) => Promise<void>,
): Promise<Map<string, LoadedMethod>> {
  const loaded = new Map<string, LoadedMethod>();
  await load({
    addService(service, implementation) {
      for (const [name, definition] of Object.entries(service)) {
        const named = implementation[name] ?? implementation[definition.originalName ?? ""];
        if (named !== undefined) {
          loaded.set(definition.path, { definition, handle: named as unknown as AnyHandler });
        }
      }
    },
  });
  return loaded;
}

/**
 * Shows a call of bytes as the call of messages that the loaded handlers expect, as far as they use it. Undefined where
 * its one message cannot be read.
 */
function withMessages(incoming: Call, definition: AnyDefinition): object | undefined {
  let request: unknown;
  try {
    request = "request" in incoming ? definition.requestDeserialize(incoming.request) : undefined;
  } catch {
    return undefined;
  }
  const shown = {
    request,
    write: (message: unknown) =>
      "write" in incoming && incoming.write(definition.responseSerialize(message) as Bytes),
    end: () => "end" in incoming && incoming.end(),
    on(event: string, listener: (value?: unknown) => void) {
      const emitter: EventEmitter = incoming;
      emitter.on(event, event === "data" ? (bytes: Bytes) => receive(bytes, listener) : listener);
      return shown;
    },
  };
  const receive = (bytes: Bytes, listener: (message: unknown) => void) => {
    let message: unknown;
    try {
      message = definition.requestDeserialize(bytes);
    } catch {
      endWith(incoming as Stream, status.INVALID_ARGUMENT, "the message cannot be read");
      return;
    }
    listener(message);
  };
  return shown;
}

function endWith(stream: Stream, code: status, details: string): void {
  // The way that @grpc/grpc-js documents to end a stream with a status.
  stream.emit("error", { code, details });
}

function passThrough({ path, streams }: LazyMethod): MethodDefinition<Bytes, Bytes> {
  const same = (bytes: Bytes) => bytes;
  return {
    path,
    requestStream: streams === "both",
    responseStream: streams !== "none",
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
