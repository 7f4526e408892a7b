// A TCP proxy on the loopback, in front of a server, whose network fails as it is told to at run time. What it is
// given in one piece it loses, delays or passes on as one piece, and never changes.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Timer } from "../../packages/tidegate/src/ports/timer.ts";
import { systemTimer } from "../../packages/tidegate/src/runtime/system-timer.ts";
import { createSeededRandom } from "./seeded-random.ts";

/** What the network does. */
export type Weather =
  /** Passes everything on. */
  | { readonly kind: "pass" }
  /** Passes each piece on so many milliseconds later, in either direction. */
  | { readonly kind: "delay"; readonly ms: number }
  /**
   * Loses `percent` of the pieces, in either direction. A connection that has lost one is silent for good, also after
   * the weather has changed: its bytes have a gap that will not be filled.
   */
  | { readonly kind: "drop"; readonly percent: number }
  /** Passes half of a reply on and ends the connection: of the next reply, and of the first of each new connection. */
  | { readonly kind: "cut" }
  /** Ends the connections that there are, accepts new ones, and never answers them. */
  | { readonly kind: "mute" }
  /** Ends the connections that there are, and does not listen. */
  | { readonly kind: "refuse" };

/** A running proxy. */
export interface FaultProxy {
  readonly port: number;
  readonly isListening: boolean;
  /** Connections that it has accepted, since it was started. */
  readonly accepted: number;
  /** Changes the weather, for connections that there are too. Resolves when it listens, or does no more. */
  turn(weather: Weather): Promise<void>;
  /** Leads new connections to another port of the loopback, as a name does when DNS changes. */
  leadTo(port: number): void;
  /** Ends the connections that there are. */
  disconnect(): void;
  stop(): Promise<void>;
}

/** What a proxy is started with. */
export interface FaultProxyOptions {
  /** The port of the server that it leads to. */
  readonly target: number;
  /** Left out: the real one. */
  readonly timer?: Timer;
  /** Which pieces are lost. */
  readonly seed?: number;
  /** Is told of each piece that a client sends, whatever becomes of it. */
  readonly heard?: (piece: Buffer) => void;
}

/** Starts a proxy on a free port, in fair weather. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultyLine(options);
  await proxy.listen();
  return proxy;
}

class FaultyLine implements FaultProxy {
  port = 0;
  accepted = 0;
  weather: Weather = { kind: "pass" };
  readonly timer: Timer;
  readonly heard: ((piece: Buffer) => void) | undefined;
  readonly #random;
  readonly #links = new Set<Link>();
  #target: number;
  #server: Server | undefined;

  constructor({ target, timer = systemTimer, seed = 1, heard }: FaultProxyOptions) {
    this.#target = target;
    this.timer = timer;
    this.heard = heard;
    this.#random = createSeededRandom(seed);
  }

  get isListening(): boolean {
    return this.#server !== undefined;
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.port = address.port;
    this.#server = server;
  }

  async turn(weather: Weather): Promise<void> {
    this.weather = weather;
    if (weather.kind === "refuse") await this.stop();
    else if (this.#server === undefined) await this.listen();
    if (weather.kind === "mute") this.disconnect();
  }

  leadTo(port: number): void {
    this.#target = port;
  }

  disconnect(): void {
    for (const link of this.#links) link.end();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    this.disconnect();
    await closed;
  }

  loses(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  #accept(socket: Socket): void {
    this.accepted += 1;
    const link = new Link(this, socket, this.#target, () => this.#links.delete(link));
    this.#links.add(link);
  }
}

/** One connection through the proxy. */
class Link {
  readonly #proxy: FaultyLine;
  readonly #ends: readonly Socket[];
  readonly #ended: () => void;
  /** Set where a piece was lost, or the connection was accepted to be ignored. */
  #silent: boolean;
  #over = false;

  constructor(proxy: FaultyLine, near: Socket, target: number, ended: () => void) {
    this.#proxy = proxy;
    this.#ended = ended;
    this.#silent = proxy.weather.kind === "mute";
    const far = this.#silent ? undefined : connect(target, "127.0.0.1");
    this.#ends = far === undefined ? [near] : [near, far];
    for (const end of this.#ends) {
      end.setNoDelay(true);
      // An end that is reset is closed next.
      end.on("error", () => {});
      end.on("close", () => this.end());
    }
    near.on("data", this.#carryTo(far, false));
    far?.on("data", this.#carryTo(near, true));
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const end of this.#ends) end.destroy();
    this.#ended();
  }

  /** Returns what takes the pieces of one direction, which never overtake each other. */
  #carryTo(target: Socket | undefined, isReply: boolean): (piece: Buffer) => void {
    const late: Buffer[] = [];
    return (piece) => {
      const { weather, timer, heard } = this.#proxy;
      if (!isReply) heard?.(piece);
      if (target === undefined || this.#loses(weather)) return;
      if (weather.kind === "cut" && isReply) {
        target.write(piece.subarray(0, Math.ceil(piece.length / 2)), () => this.end());
        this.#silent = true;
      } else if (weather.kind === "delay" || late.length > 0) {
        late.push(piece);
        timer.after(weather.kind === "delay" ? weather.ms : 0, () => {
          const first = late.shift();
          if (first !== undefined && !this.#over) target.write(first);
        });
      } else target.write(piece);
    };
  }

  #loses(weather: Weather): boolean {
    if (weather.kind === "drop" && this.#proxy.loses(weather.percent)) this.#silent = true;
    return this.#silent;
  }
}
