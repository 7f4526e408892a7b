// Who the other nodes are, and which of them are heard from: by address, as the transport names them, and by the lives
// of nodes that have said something. Clocks are not compared: a node is away when all that is known of it is old.

import type { Peer, PeerChange, PeerState } from "../ports/telemetry.ts";
import type { Origin } from "./origin.ts";
import type { Replica } from "./replica.ts";
import type { Surroundings } from "./surroundings.ts";
import { type Seen, Viewer } from "./views.ts";

/** What it needs. */
export interface PeersOptions {
  readonly replica: Replica;
  readonly surroundings: Surroundings;
  /** Addresses that there should be. */
  readonly members: () => readonly string[];
  readonly changed: (change: PeerChange) => void;
  /** How long nothing is heard of a node of this region before it is away, and of one of another; microseconds. */
  readonly awayAfterUs: number;
  readonly otherAwayAfterUs: number;
}

/** How long what a node said is kept after it has gone, in microseconds. */
const FORGET_AFTER_US = 600_000_000;

/** How often it is looked for what of that others speak for. */
const SHED_EVERY_US = 60_000_000;

/** After how long an address by which this node was reached is asked again: it may have become another's. */
const DOUBT_AFTER_US = 60_000_000;

interface Known {
  readonly address: string;
  instance: string;
  region: string;
  state: PeerState;
  since: number;
  asOf: number;
}

/** The other nodes. */
export class Peers {
  readonly #options: PeersOptions;
  /** Addresses by which this node itself is reached, and until when that is not doubted. */
  readonly #ownAddresses = new Map<string, number>();
  /** Addresses at which nodes answer that name themselves otherwise. */
  readonly #aliases = new Map<string, string>();
  readonly #known = new Map<string, Known>();
  /** Since when silence counts: a node that slept heard nobody. */
  #listeningSince: number;
  #refreshedAt: number;
  #isFirst = true;
  readonly #all: Viewer;
  readonly #near: Viewer;

  constructor(options: PeersOptions, now: number) {
    this.#options = options;
    this.#all = new Viewer(options.surroundings);
    this.#near = new Viewer(options.surroundings.near);
    this.#ownAddresses.set(options.replica.own.address, Number.POSITIVE_INFINITY);
    this.#listeningSince = now;
    this.#refreshedAt = now;
  }

  /**
   * Notes that a message to an address came back to this node: unless another was heard of there, who may have sent it,
   * or a stranger who listened.
   */
  isMyself(address: string, now: number): void {
    if (address === this.#options.replica.own.address) return;
    if (this.#isHeardOf(address)) return;
    if (!this.#known.delete(address) && !this.#ownAddresses.has(address)) return;
    this.#ownAddresses.set(address, now + DOUBT_AFTER_US);
  }

  /**
   * Notes that the node which calls itself `address` answers at another, at which one was looked for: unless one was
   * heard of that calls itself so, to which a stranger may have listened.
   */
  answersAt(asked: string, address: string): void {
    if (asked === this.#options.replica.own.address || this.#isHeardOf(asked)) return;
    const wasOwn = this.#ownAddresses.delete(asked);
    if (asked !== address && (wasOwn || this.#known.has(asked))) this.#aliases.set(asked, address);
  }

  /** Addresses by which this node was reached once, and which may be another's by now. */
  doubtful(now: number): string[] {
    const addresses: string[] = [];
    for (const [address, until] of this.#ownAddresses) {
      if (now <= until) continue;
      addresses.push(address);
      this.#ownAddresses.set(address, now + DOUBT_AFTER_US);
    }
    return addresses;
  }

  /** Looks at all nodes anew. */
  refresh(now: number): void {
    const { replica, awayAfterUs, surroundings } = this.#options;
    if (now - this.#refreshedAt > awayAfterUs / 2) this.#listeningSince = now;
    this.#refreshedAt = now;
    const latest = this.#latestByAddress(now);
    const addresses = this.#addressesOf(latest);
    for (const [address, origin] of latest) {
      if (origin.hasLeft) addresses.delete(address);
      else if (!origin.isAway) addresses.add(address);
    }
    const changes: Known[] = [];
    for (const address of this.#known.keys()) {
      if (!addresses.has(address)) changes.push(this.#gone(address, now));
    }
    const all: Seen[] = [];
    const near: Seen[] = [];
    for (const address of addresses) {
      const origin = latest.get(address);
      const known = this.#note(address, origin, now, changes);
      const isReachable = known.state === "reachable";
      const isFresh = origin?.isStale === false;
      const seen = { address, isReachable, isFresh, asOf: known.asOf };
      all.push(seen);
      // One that was never heard of may be anywhere.
      if (known.region === replica.own.region || known.instance === "") near.push(seen);
    }
    this.#all.see(all, surroundings.hasJoined, now);
    this.#near.see(near, surroundings.hasJoined, now);
    for (const known of changes) this.#tell(known, now);
    this.#isFirst = false;
    this.#forgetOld(now, replica);
  }

  /** Whether the news of a node is young enough for it to be there. */
  isThere(origin: Origin, now: number): boolean {
    return !this.#isAway(origin, now);
  }

  /** Addresses of all nodes that there should be or are. */
  addresses(): string[] {
    return [...this.#known.keys()];
  }

  /** Addresses of nodes of this region that are heard from. */
  near(): string[] {
    return this.#nearby().map(({ address }) => address);
  }

  /** Addresses of nodes of other regions that are heard from, by region. */
  far(): Map<string, string[]> {
    const { region } = this.#options.replica.own;
    const regions = new Map<string, string[]>();
    for (const known of this.#known.values()) {
      if (known.region === region || known.state !== "reachable") continue;
      regions.set(known.region, [...(regions.get(known.region) ?? []), known.address]);
    }
    return regions;
  }

  /** Addresses of nodes that are not heard from. */
  silent(): string[] {
    const silent = [...this.#known.values()].filter(({ state }) => state === "away");
    return silent.map(({ address }) => address);
  }

  /** Instances of the nodes of this region that are heard from, this one's among them, in order. */
  instancesNear(): string[] {
    const { own } = this.#options.replica;
    return [own.instance, ...this.#nearby().map(({ instance }) => instance)].sort();
  }

  all(now: number): Peer[] {
    return [...this.#known.values()].map((known) => this.#describe(known, now));
  }

  /** Age of the oldest news of a node that is heard from, in microseconds. */
  lagUs(now: number): number {
    const { certainAt } = this.#options.surroundings;
    return Number.isFinite(certainAt) ? now - certainAt : 0;
  }

  /** Whether a node that names itself so is known, there or away. */
  #isHeardOf(address: string): boolean {
    const known = this.#known.get(address);
    return known !== undefined && known.instance !== "";
  }

  #nearby(): Known[] {
    const { region } = this.#options.replica.own;
    return [...this.#known.values()].filter((known) => {
      return known.state === "reachable" && known.region === region;
    });
  }

  /** Finds the address of each node that there should be, as it names itself. */
  #addressesOf(latest: ReadonlyMap<string, Origin>): Set<string> {
    const members = this.#options.members();
    for (const [alias, address] of this.#aliases) {
      // Where that node is gone another may answer there by now.
      const isThere = latest.get(address)?.isAway === false;
      if (!isThere || !members.includes(alias)) this.#aliases.delete(alias);
    }
    const addresses = new Set<string>();
    for (const address of members) {
      const own = this.#aliases.get(address) ?? address;
      if (!this.#ownAddresses.has(own) && !this.#ownAddresses.has(address)) addresses.add(own);
    }
    return addresses;
  }

  /** Finds the life of each node that was heard of last, and says which lives are over. */
  #latestByAddress(now: number): Map<string, Origin> {
    const { replica } = this.#options;
    const latest = new Map<string, Origin>();
    for (const origin of replica.origins()) {
      if (origin === replica.own) continue;
      origin.isAway = this.#isAway(origin, now);
      origin.isStale = origin.isAway || now - origin.asOf > this.#staleAfter(origin);
      origin.isOver = origin.hasLeft;
      const other = latest.get(origin.address);
      if (other === undefined || isLater(origin, other)) {
        if (other !== undefined) other.isOver = true;
        latest.set(origin.address, origin);
      } else origin.isOver = true;
      // A life of this node that came before this one.
      if (this.#ownAddresses.has(origin.address)) {
        origin.isOver = true;
        latest.delete(origin.address);
      }
    }
    return latest;
  }

  /** Twice the age that news has as a rule, and four rounds at least. */
  #staleAfter(origin: Origin): number {
    const { replica, surroundings, awayAfterUs, otherAwayAfterUs } = this.#options;
    const isNear = origin.region === replica.own.region;
    return Math.max((isNear ? awayAfterUs : otherAwayAfterUs) / 2, 2 * surroundings.lagUs);
  }

  #isAway(origin: Origin, now: number): boolean {
    const { replica, awayAfterUs, otherAwayAfterUs } = this.#options;
    const isNear = origin.region === replica.own.region;
    const silentSince = Math.max(origin.asOf, origin.isAway ? origin.asOf : this.#listeningSince);
    return now - silentSince > (isNear ? awayAfterUs : otherAwayAfterUs);
  }

  /** Notes how a node stands, and whether that is a change. */
  #note(address: string, origin: Origin | undefined, now: number, changes: Known[]): Known {
    const state = origin === undefined || origin.isAway ? "away" : "reachable";
    let known = this.#known.get(address);
    const isNew = known === undefined;
    known ??= { address, instance: "", region: "", state: "away", since: now, asOf: 0 };
    if (isNew) this.#known.set(address, known);
    // That a node is not there yet is no news while this one begins; that one is there is.
    const isBeginning = this.#isFirst || !this.#options.surroundings.hasJoined;
    if (known.state !== state || (isNew && !isBeginning)) {
      known.since = now;
      changes.push(known);
    }
    known.state = state;
    known.instance = origin?.instance ?? "";
    known.region = origin?.region ?? known.region;
    known.asOf = origin?.asOf ?? Number.NEGATIVE_INFINITY;
    return known;
  }

  #gone(address: string, now: number): Known {
    const known = this.#known.get(address)!;
    this.#known.delete(address);
    known.state = "left";
    known.since = now;
    return known;
  }

  #tell(known: Known, now: number): void {
    // Not those of the surroundings, among which all are believed to be there until this node has joined.
    const others = [...this.#known.values()];
    const reachable = 1 + others.filter(({ state }) => state === "reachable").length;
    this.#options.changed({
      peer: this.#describe(known, now),
      reachable,
      nodes: 1 + others.length,
    });
  }

  #describe({ address, instance, region, state, since, asOf }: Known, now: number): Peer {
    const lagMs = Number.isFinite(asOf) ? Math.max(Math.round((now - asOf) / 1_000), 0) : undefined;
    const sinceMs = Math.max(Math.round((now - since) / 1_000), 0);
    return { address, instance, region, state, sinceMs, lagMs };
  }

  #forgetOld(now: number, replica: Replica): void {
    for (const origin of replica.origins()) {
      if (origin === replica.own || !(origin.isOver || origin.isAway)) continue;
      if (now - Math.max(origin.asOf, origin.heardAt) <= FORGET_AFTER_US) continue;
      if (origin.isOver && now - origin.shedAt > SHED_EVERY_US) {
        origin.shedAt = now;
        replica.shed(origin);
      }
      if (origin.size === 0) replica.forget(origin);
    }
  }
}

/** Whether one life of a node comes after another: it is there and that has left, or what is known of it is younger. */
function isLater(origin: Origin, other: Origin): boolean {
  if (origin.hasLeft !== other.hasLeft) {
    const there = origin.hasLeft ? other : origin;
    if (!there.isAway) return there === origin;
  }
  return origin.asOf > other.asOf;
}
