// The rounds of the gossip: whom a node asks and when, what it answers, how it joins and how it leaves.

import type { Random } from "../ports/random.ts";
import type { Timer } from "../ports/timer.ts";
import { ByteWriter } from "./bytes.ts";
import type { Envelope } from "./envelope.ts";
import { Exchanges } from "./exchanges.ts";
import { Incoming } from "./incoming.ts";
import { type Header, MAX_VERSION, type MessageKind, MessageWriter } from "./message.ts";
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
  /** Is called before what a message says is learned. */
  readonly eachMessage: () => void;
  /** Is called in each round, after what changed was published. */
  readonly eachRound: () => void;
}

/** Nodes of a region that gossip with other regions. */
const BRIDGES = 2;

/** Rounds that whoever is to be asked waits at most for the answers of others, where these take long. */
const MOST_PATIENCE = 2;

/** Messages in a row that one node asks another for in a round, where there is more than fits one. */
const MOST_IN_A_ROW = 16;

/** Nodes that a node which joins asks at once. */
const MOST_AT_ONCE = 16;

/** How long it waits for others when it joins: ten rounds, and no less than this. */
const JOIN_MS = 2_000;

/** How long it waits to hear that others know all when it leaves. */
const LEAVE_MS = 500;
const LEAVE_STEP_MS = 20;
/** While it leaves, whoever was not heard from for so long is asked again, in microseconds. */
const ASK_AGAIN_US = 50_000;

/** Gossips. */
export class Gossiper {
  readonly #options: GossiperOptions;
  readonly #incoming: Incoming;
  readonly #exchanges: Exchanges;
  /** All messages are written in it, one after another: a message is sent before the next begins. */
  readonly #writer = new ByteWriter();
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
  /** While it leaves: when others were heard from, or else asked, by address. */
  readonly #heardAt = new Map<string, number>();
  /** Messages asked for beyond the first, by address, in this round. */
  readonly #inARow = new Map<string, number>();
  /** What an instant's mark is counted from, so that marks of another life of this node mean nothing to it. */
  readonly #marksFrom: number;
  readonly #beganAt: number;

  constructor(options: GossiperOptions) {
    this.#options = options;
    this.#beganAt = options.steady();
    this.#marksFrom = this.#beganAt - Math.floor(options.random.next() * 2 ** 40) - 1;
    this.#incoming = new Incoming(options.replica, (mark) => this.#instantOf(mark));
    const { timer, steady, intervalMs, fanout } = options;
    const ask = (address: string) => this.#ask(address);
    this.#exchanges = new Exchanges({
      ...{ timer, steady, ask },
      ...{ patienceMs: intervalMs / fanout, mostPatienceMs: MOST_PATIENCE * intervalMs },
    });
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
    this.#exchanges.stop();
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
      for (const address of this.#unheard(now)) this.#send(address);
      this.#exchanges.begin(this.#targets(now), nextMs);
      if (now > this.#joinUntil || surroundings.nodes === 1) this.#setJoined();
    }
    eachRound();
  }

  /** Chooses whom to ask in turn: some of the region, and now and then some of each other region. */
  #targets(now: number): string[] {
    const { peers, fanout, regionIntervalMs, replica } = this.#options;
    const near = this.#some(peers.near(), fanout);
    if (now < this.#nextFarAt) return near;
    this.#nextFarAt = now + 1_000 * regionIntervalMs;
    const isBridge = peers.instancesNear().indexOf(replica.own.instance) < BRIDGES;
    if (!isBridge) return near;
    const far = [...peers.far().values()].flatMap((addresses) => this.#some(addresses, 1));
    // Whom this round does not come to is one of those that the next will ask.
    return [...far, ...near];
  }

  /** Chooses whom to ask whether they are there: one that is silent, and addresses that may be another's by now. */
  #unheard(now: number): string[] {
    const { peers, surroundings } = this.#options;
    const silent = this.#some(peers.silent(), surroundings.hasJoined ? 1 : MOST_AT_ONCE);
    return [...silent, ...peers.doubtful(now)];
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
    this.#exchanges.expect(address);
    this.#send(address);
  }

  #send(address: string): void {
    const writer = this.#begin("syn", address);
    writer.digest(this.#digest());
    writer.end(false);
    this.#options.envelope.send(address, writer.bytes);
  }

  #receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    const { peers, replica, steady, eachMessage } = this.#options;
    const { own } = replica;
    const exchanges = this.#exchanges;
    const incoming = this.#incoming;
    const now = steady();
    incoming.reset(now);
    eachMessage();
    readMessage(message, incoming);
    const { header, known } = incoming;
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
      // That a node is there, or there again, is not left to the next round. It tells all in its answer, and not twice.
      if (wasAway) this.#askForMore(header.address);
      this.#answer("ack", header, known);
      return;
    }
    exchanges.came(header.askedBy, message.length);
    if (wasAway && origin !== undefined && peers.isThere(origin, now)) peers.refresh(now);
    if (header.kind === "ack") this.#hasAnswered(header, known);
    if (!this.#isLeaving) exchanges.goOn();
  }

  /** Tells a node that answered what it does not know, and asks it for the rest where there is more. */
  #hasAnswered(header: Header, known: ReadonlyMap<string, number>): void {
    const { own } = this.#options.replica;
    const { isAll } = this.#incoming;
    // First, so that the answer to what is asked next does not tell the same again.
    const wasTold =
      header.isSated && !this.#isLeaving ? false : this.#answer("push", header, known);
    if (isAll) this.#noteComplete(header);
    else this.#askForMore(header.address);
    if (!this.#isLeaving) return;
    this.#heardAt.set(header.askedBy, this.#options.steady());
    if ((known.get(own.instance) ?? 0) >= own.version) this.#waitingToLeave?.();
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
    // Whoever is being told by one already need not be told by another.
    const isSated = kind === "ack" && this.#exchanges.isBusy;
    if (kind === "ack" && !isSated && this.#knowsMore(header, known)) {
      this.#exchanges.expect(header.address);
    }
    const writer = this.#begin(kind, header.address, header, isSated);
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

  /** Whether a node will have something to push. */
  #knowsMore({ region }: Header, known: ReadonlyMap<string, number>): boolean {
    const { replica } = this.#options;
    if (region !== replica.own.region) return false;
    for (const [instance, version] of known) {
      if (version > (replica.find(instance)?.version ?? 0)) return true;
    }
    return false;
  }

  #begin(kind: MessageKind, to: string, answered?: Header, isSated = false): MessageWriter {
    const { replica, steady, maxBytes } = this.#options;
    const { instance, address, region } = replica.own;
    const now = steady();
    replica.own.asOf = now;
    const header = {
      ...{ kind, instance, address, region, to, hasJoined: this.#options.surroundings.hasJoined },
      ...{ askedBy: answered?.to ?? "", isSated },
      mark: Math.floor(now - this.#marksFrom),
      echo: answered?.mark ?? 0,
    };
    return new MessageWriter(this.#writer, header, now, maxBytes);
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
    // Messages may be lost; and only what is asked for after the push tells whether that arrived.
    const ask = () => {
      const now = steady();
      for (const address of targets) {
        if (now - (this.#heardAt.get(address) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_US) continue;
        this.#heardAt.set(address, now);
        this.#ask(address);
      }
    };
    await new Promise<void>((resolve) => {
      const cancels = [timer.after(LEAVE_MS, () => done())];
      for (let ms = LEAVE_STEP_MS; ms < LEAVE_MS; ms += LEAVE_STEP_MS)
        cancels.push(timer.after(ms, ask));
      const done = () => {
        for (const cancel of cancels) cancel();
        resolve();
      };
      this.#waitingToLeave = done;
      ask();
    });
  }
}

function isRegional(register: OriginRegister | undefined): boolean {
  return register?.key.policy?.isRegional === true;
}
