// The rounds of the gossip: whom a node asks and when, what it answers, how it joins and how it leaves.

import type { Random } from "../ports/random.ts";
import type { Timer } from "../ports/timer.ts";
import type { Envelope } from "./envelope.ts";
import {
  type BlockEnd,
  type BlockHead,
  type DigestEntry,
  type Header,
  MAX_VERSION,
  type MessageKind,
  type MessageSink,
  MessageWriter,
  type SentRegister,
} from "./message.ts";
import type { Origin, OriginRegister } from "./origin.ts";
import type { Peers } from "./peers.ts";
import type { Publisher } from "./publisher.ts";
import { readMessage } from "./read-message.ts";
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

/** Nodes that a node which joins asks at once. */
const MOST_AT_ONCE = 16;

/** How long it waits for others when it joins: ten rounds, and no less than this. */
const JOIN_MS = 2_000;

/** How long it waits to hear that others know all when it leaves. */
const LEAVE_MS = 500;

/** Gossips. */
export class Gossiper {
  readonly #options: GossiperOptions;
  readonly #sink: Sink;
  #cancel: (() => void) | undefined;
  /** Whether the transport is open. */
  #isOpen = false;
  #isClosed = false;
  #isLeaving = false;
  #nextFarAt = Number.NEGATIVE_INFINITY;
  #joinUntil = Number.POSITIVE_INFINITY;
  /** Addresses that told all they know while this node joined. */
  readonly #heard = new Set<string>();
  #waitingToJoin: (() => void)[] = [];
  #waitingToLeave: (() => void) | undefined;
  /** Messages asked for beyond the first, by address, in this round. */
  readonly #inARow = new Map<string, number>();
  /** What an instant's mark is counted from, so that marks of another life of this node mean nothing to it. */
  readonly #marksFrom: number;
  readonly #beganAt: number;

  constructor(options: GossiperOptions) {
    this.#options = options;
    this.#beganAt = options.steady();
    this.#marksFrom = this.#beganAt - Math.floor(options.random.next() * 2 ** 40) - 1;
    this.#sink = new Sink(options.replica, (mark) => this.#instantOf(mark));
  }

  /**
   * Begins. Rounds begin at once, for what a node does by itself; messages once the transport is open.
   * @throws what the transport says where it cannot be opened: the node then goes on alone.
   */
  async open(): Promise<void> {
    const { steady, intervalMs, envelope } = this.#options;
    this.#round();
    try {
      await envelope.open((message) => this.#receive(message));
    } catch (error) {
      this.#setJoined();
      throw error;
    }
    if (this.#isClosed || this.#isLeaving) return;
    this.#isOpen = true;
    this.#joinUntil = steady() + 1_000 * Math.max(JOIN_MS, 10 * intervalMs);
    this.#cancel?.();
    this.#round();
  }

  /** Waits until the node has learned what there is, or found that there is nobody. */
  whenJoined(): Promise<void> {
    if (this.#options.surroundings.hasJoined || this.#isClosed) return Promise.resolve();
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
    if (this.#isOpen) {
      for (const address of this.#targets(now)) this.#ask(address);
      if (now > this.#joinUntil || surroundings.nodes === 1) this.#setJoined();
    }
    eachRound();
  }

  /** Chooses whom to ask: some of the region, one that is silent, and now and then some of each other region. */
  #targets(now: number): string[] {
    const { peers, fanout, regionIntervalMs, replica } = this.#options;
    const targets = this.#some(peers.near(), fanout);
    targets.push(
      ...this.#some(peers.silent(), this.#options.surroundings.hasJoined ? 1 : MOST_AT_ONCE),
    );
    targets.push(...peers.doubtful(now));
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
    const writer = this.#begin("syn", address);
    writer.digest(this.#digest());
    writer.end(false);
    this.#options.envelope.send(address, writer.bytes);
  }

  #receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    const { peers, replica, steady } = this.#options;
    const { own } = replica;
    const sink = this.#sink;
    const now = steady();
    sink.reset(now);
    readMessage(message, sink);
    const { header, known, isAll } = sink;
    if (header.instance === own.instance) {
      peers.isMyself(header.to, now);
      return;
    }
    peers.answersAt(header.askedBy, header.address);
    const told = known.get(own.instance) ?? 0;
    // What others know of this node is more than it said: it was set back to an earlier state, or a stranger lied.
    if (told > own.version && told <= MAX_VERSION) own.raise(told);
    const origin = replica.find(header.instance);
    const wasAway = origin?.isAway !== false;
    if (header.kind === "syn") {
      this.#answer("ack", header, known);
      // That a node is there, or there again, is not left to the next round.
      if (wasAway) this.#askForMore(header.address);
      return;
    }
    if (wasAway && origin !== undefined && peers.isThere(origin, now)) peers.refresh(now);
    if (header.kind === "push") return;
    // First, so that the answer to what is asked next does not tell the same again.
    const wasTold = this.#answer("push", header, known);
    if (isAll) this.#noteComplete(header);
    else this.#askForMore(header.address);
    if (!this.#isLeaving) return;
    if (told >= own.version) this.#waitingToLeave?.();
    else if (!wasTold) this.#askForMore(header.address);
  }

  /** Notes that a node told all that it knows: enough where it has joined, or nobody else could say more. */
  #noteComplete({ address, region, hasJoined }: Header): void {
    if (this.#options.surroundings.hasJoined) return;
    const { peers, replica } = this.#options;
    this.#heard.add(address);
    const isEnough = hasJoined && region === replica.own.region;
    if (isEnough || peers.addresses().every((one) => this.#heard.has(one))) this.#setJoined();
  }

  #askForMore(address: string): void {
    const asked = this.#inARow.get(address) ?? 0;
    if (asked >= MOST_IN_A_ROW) return;
    this.#inARow.set(address, asked + 1);
    this.#ask(address);
  }

  /** Tells a node what it does not know; answers whether that was all. */
  #answer(kind: MessageKind, header: Header, known: ReadonlyMap<string, number>): boolean {
    const { replica, envelope } = this.#options;
    const { own } = replica;
    const writer = this.#begin(kind, header.address, header);
    writer.digest(kind === "ack" ? this.#digest() : []);
    const before = writer.bytes.length;
    const isFar = header.region !== own.region;
    const wasAll = replica.tell(writer, known, (origin, register) => {
      // A region knows best of itself, and what is counted in one region alone is of no use to another.
      return !isFar || (origin.region !== header.region && !isRegional(register));
    });
    // Nothing but its end.
    if (kind === "ack" || writer.bytes.length > before + 1) {
      envelope.send(header.address, writer.bytes);
    }
    return wasAll;
  }

  #begin(kind: MessageKind, to: string, answered?: Header): MessageWriter {
    const { replica, steady, maxBytes } = this.#options;
    const { instance, address, region } = replica.own;
    const now = steady();
    replica.own.asOf = now;
    const header = {
      ...{ kind, instance, address, region, to, hasJoined: this.#options.surroundings.hasJoined },
      askedBy: answered?.to ?? "",
      mark: Math.floor(now - this.#marksFrom),
      echo: answered?.mark ?? 0,
    };
    return new MessageWriter(header, now, maxBytes);
  }

  /**
   * Finds when a message was written that is answered. An answer was written after that, however long it took: what it
   * says is no older than it says at that instant. Without that messages that are under way would make all news younger
   * than it is, and a node that is gone would never be away.
   */
  #instantOf(mark: number): number {
    const instant = this.#marksFrom + mark;
    const { steady } = this.#options;
    return instant >= this.#beganAt && instant <= steady() ? instant : Number.NEGATIVE_INFINITY;
  }

  #digest(): Origin[] {
    return [...this.#options.replica.origins()].filter(({ version }) => version > 0);
  }

  #setJoined(): void {
    this.#options.surroundings.hasJoined = true;
    this.#heard.clear();
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
    publisher.publishAll(now);
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
  /** Whether the message said all that its sender knew. */
  isAll = true;
  readonly #replica: Replica;
  readonly #instantOf: (mark: number) => number;
  #entries: readonly DigestEntry[] = [];
  #now = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(replica: Replica, instantOf: (mark: number) => number) {
    this.#replica = replica;
    this.#instantOf = instantOf;
  }

  reset(now: number): void {
    this.#now = now;
    this.known = new Map();
    this.isAll = true;
  }

  head(header: Header): void {
    this.header = header;
    this.#writtenAt = this.#instantOf(header.echo);
  }

  digest(entries: readonly DigestEntry[]): void {
    for (const { instance, version } of entries) this.known.set(instance, version);
    this.#entries = entries;
  }

  begin(head: BlockHead): boolean {
    return this.#replica.begin(head, this.#now, this.#writtenAt);
  }

  register(register: SentRegister): void {
    this.#replica.register(register);
  }

  end(end: BlockEnd): void {
    this.#replica.end(end);
    if (!end.isAll) this.isAll = false;
  }

  done(isMore: boolean): void {
    if (isMore) this.isAll = false;
    // What is known here as well is as young as it is there.
    this.#replica.noteAges(this.#entries, this.#writtenAt);
  }
}
