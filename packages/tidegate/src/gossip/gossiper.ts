// The rounds of the gossip: whom a node asks and when, what it answers, how it joins and how it leaves.

import type { Random } from "../ports/random.ts";
import type { Timer } from "../ports/timer.ts";
import type { Envelope } from "./envelope.ts";
import {
  type BlockEnd,
  type BlockHead,
  type DigestEntry,
  type Header,
  type MessageKind,
  type MessageSink,
  MessageWriter,
  readMessage,
  type SentRegister,
} from "./message.ts";
import type { Origin, OriginRegister } from "./origin.ts";
import type { Peers } from "./peers.ts";
import type { Publisher } from "./publisher.ts";
import type { Replica } from "./replica.ts";
import type { Surroundings } from "./surroundings.ts";

/** What it needs. */
export interface GossiperOptions {
  readonly replica: Replica;
  readonly peers: Peers;
  readonly publisher: Publisher;
  readonly envelope: Envelope;
  readonly surroundings: Surroundings;
  readonly timer: Timer;
  readonly random: Random;
  /** Steady clock, in microseconds. */
  readonly steady: () => number;
  readonly intervalMs: number;
  readonly regionIntervalMs: number;
  readonly fanout: number;
  readonly maxBytes: number;
  /** Is called in each round, after what changed was published. */
  readonly eachRound: () => void;
}

/** Nodes of a region that gossip with other regions. */
const BRIDGES = 2;

/** Messages in a row that one node asks another for in a round, where there is more than fits one. */
const MOST_IN_A_ROW = 16;

/** How long it waits for others when it joins: ten rounds, and no less than this. */
const JOIN_MS = 2_000;

/** How long it waits to hear that others know all when it leaves. */
const LEAVE_MS = 500;

/** Gossips. */
export class Gossiper {
  joined = false;
  readonly #options: GossiperOptions;
  readonly #sink: Sink;
  #cancel: (() => void) | undefined;
  #isClosed = false;
  #isLeaving = false;
  #nextFarAt = 0;
  #joinUntil: number;
  #waitingToJoin: (() => void)[] = [];
  #waitingToLeave: (() => void) | undefined;
  /** Messages asked for beyond the first, by address, in this round. */
  readonly #inARow = new Map<string, number>();

  constructor(options: GossiperOptions) {
    this.#options = options;
    this.#sink = new Sink(options);
    this.#joinUntil = options.steady() + 1_000 * Math.max(JOIN_MS, 10 * options.intervalMs);
  }

  /** Begins. */
  async open(): Promise<void> {
    await this.#options.envelope.open((message) => this.#receive(message));
    if (this.#isClosed) return;
    this.#round();
  }

  /** Waits until the node has learned what there is, or found that there is nobody. */
  whenJoined(): Promise<void> {
    if (this.joined || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#waitingToJoin.push(resolve));
  }

  /** Hands over what was not told, and ends. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#cancel?.();
    this.#isLeaving = true;
    await this.#leave();
    this.#isClosed = true;
    this.#setJoined();
    await this.#options.envelope.close();
  }

  #round(): void {
    const { steady, surroundings, publisher, peers, eachRound, intervalMs, timer } = this.#options;
    if (this.#isClosed || this.#isLeaving) return;
    const now = steady();
    // Nodes that began together must not ask each other in step for ever.
    const nextMs = intervalMs * (0.9 + 0.2 * this.#options.random.next());
    this.#cancel = timer.after(nextMs, () => this.#round());
    surroundings.round += 1;
    surroundings.nextRoundAt = now + 1_000 * nextMs;
    this.#options.replica.own.asOf = now;
    publisher.publish(now);
    peers.refresh(now);
    this.#inARow.clear();
    const targets = this.#targets(now);
    for (const address of targets) this.#ask(address);
    if (
      !this.joined &&
      (now > this.#joinUntil || (targets.length === 0 && surroundings.nodes === 1))
    ) {
      this.#setJoined();
    }
    eachRound();
  }

  /** Chooses whom to ask: some of the region, one that is silent, and now and then some of each other region. */
  #targets(now: number): string[] {
    const { peers, fanout, regionIntervalMs, replica } = this.#options;
    const targets = this.#some(peers.near(), fanout);
    targets.push(...this.#some(peers.silent(), this.joined ? 1 : fanout));
    if (now < this.#nextFarAt) return targets;
    this.#nextFarAt = now + 1_000 * regionIntervalMs;
    const isBridge = peers.instancesNear().indexOf(replica.own.instance) < BRIDGES;
    if (!isBridge) return targets;
    for (const addresses of peers.far().values()) targets.push(...this.#some(addresses, 1));
    return targets;
  }

  #some(addresses: string[], count: number): string[] {
    const { random } = this.#options;
    for (let index = 0; index < Math.min(count, addresses.length); index += 1) {
      const other = index + Math.floor(random.next() * (addresses.length - index));
      const chosen = addresses[other]!;
      addresses[other] = addresses[index]!;
      addresses[index] = chosen;
    }
    return addresses.slice(0, count);
  }

  #ask(address: string): void {
    const writer = this.#begin("syn", address, "");
    writer.digest(this.#digest());
    writer.blocks(0);
    this.#options.envelope.send(address, writer.bytes);
  }

  #receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    const { peers, replica, steady } = this.#options;
    const sink = this.#sink;
    sink.reset(steady());
    readMessage(message, sink);
    sink.finish();
    const { header, known, wasAll } = sink;
    if (header.instance === replica.own.instance) {
      peers.isMyself(header.to);
      return;
    }
    peers.answersAt(header.askedBy, header.address);
    // That a node is there, or there again, is not left to the next round.
    if (replica.find(header.instance)?.isAway !== false) peers.refresh(steady());
    if (header.kind === "syn") {
      this.#answer("ack", header, known);
      return;
    }
    if (header.kind === "push") return;
    if (wasAll) this.#setJoined();
    else this.#askForMore(header.address);
    this.#answer("push", header, known);
    const told = known.get(replica.own.instance) ?? 0;
    if (this.#isLeaving && told >= replica.own.version) this.#waitingToLeave?.();
  }

  #askForMore(address: string): void {
    const asked = this.#inARow.get(address) ?? 0;
    if (asked >= MOST_IN_A_ROW) return;
    this.#inARow.set(address, asked + 1);
    this.#ask(address);
  }

  /** Tells a node what it does not know. */
  #answer(kind: MessageKind, header: Header, known: ReadonlyMap<string, number>): void {
    const { replica, envelope } = this.#options;
    const { own } = replica;
    const writer = this.#begin(kind, header.address, header.to);
    writer.digest(kind === "ack" ? this.#digest() : []);
    const before = writer.bytes.length;
    const isFar = header.region !== own.region;
    replica.tell(writer, known, (origin, register) => {
      // A region knows best of itself, and what is counted in one region alone is of no use to another.
      return !isFar || (origin.region !== header.region && !isRegional(register));
    });
    // Nothing but a number of no blocks.
    if (kind === "push" && writer.bytes.length === before + 1) return;
    envelope.send(header.address, writer.bytes);
  }

  #begin(kind: MessageKind, to: string, askedBy: string): MessageWriter {
    const { replica, steady, maxBytes } = this.#options;
    const { instance, address, region } = replica.own;
    const now = steady();
    replica.own.asOf = now;
    return new MessageWriter({ kind, instance, address, region, to, askedBy }, now, maxBytes);
  }

  #digest(): Origin[] {
    return [...this.#options.replica.origins()].filter(({ version }) => version > 0);
  }

  #setJoined(): void {
    this.joined = true;
    const waiting = this.#waitingToJoin;
    this.#waitingToJoin = [];
    for (const resolve of waiting) resolve();
  }

  /** Tells some nodes that this one goes, and all that it admitted, and waits until one of them has heard. */
  async #leave(): Promise<void> {
    const { peers, publisher, replica, steady, timer } = this.#options;
    const now = steady();
    const near = peers.near();
    const others = [...peers.far().values()].flat();
    publisher.publish(now);
    replica.own.hasLeft = true;
    replica.own.version += 1;
    const targets = this.#some(near.length > 0 ? near : others, 3);
    if (targets.length === 0) return;
    const ask = () => {
      for (const address of targets) this.#ask(address);
    };
    await new Promise<void>((resolve) => {
      // Messages may be lost; and only what is asked for after the push tells whether that arrived.
      const cancels = [20, 100, 200, 400].map((afterMs) => timer.after(afterMs, ask));
      const done = () => {
        for (const cancel of cancels) cancel();
        resolve();
      };
      cancels.push(timer.after(LEAVE_MS, done));
      this.#waitingToLeave = done;
      ask();
    });
  }
}

function isRegional(register: OriginRegister | undefined): boolean {
  return register?.key.policy?.isRegional === true;
}

/** Takes the parts of a message. */
class Sink implements MessageSink {
  header!: Header;
  known: Map<string, number> = new Map();
  wasAll = true;
  readonly #replica: Replica;
  #entries: readonly DigestEntry[] = [];
  #now = 0;

  constructor({ replica }: GossiperOptions) {
    this.#replica = replica;
  }

  reset(now: number): void {
    this.#now = now;
    this.known = new Map();
    this.wasAll = true;
  }

  head(header: Header): void {
    this.header = header;
  }

  digest(entries: readonly DigestEntry[]): void {
    for (const { instance, version } of entries) this.known.set(instance, version);
    this.#entries = entries;
  }

  begin(head: BlockHead): boolean {
    return this.#replica.begin(head, this.#now);
  }

  register(register: SentRegister): void {
    this.#replica.register(register);
  }

  end(end: BlockEnd): void {
    this.#replica.end(end);
    if (!end.isAll) this.wasAll = false;
  }

  /** Once the whole message was taken: what is known here as well is as young as it is there. */
  finish(): void {
    this.#replica.noteAges(this.#entries, this.#now);
  }
}
