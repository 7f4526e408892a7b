// Says since when other nodes are as they are: the same time of day until that changes, though it is reckoned from an
// age that is rounded, by two clocks.

import type { Peer } from "tidegate";
import type { Timers } from "../runtime/timers.ts";

/** Reckoned from ages, one instant differs by less than this; between two changes of a node is more. */
const SAME_MS = 200;

/** What was said of a node. */
interface Said {
  readonly state: Peer["state"];
  /** By the clock that never steps. */
  readonly sinceMs: number;
  readonly timestamp: string;
}

/** The times of the nodes that were asked about last. */
export class PeerTimes {
  readonly #timers: Pick<Timers, "now" | "timestamp">;
  #said: ReadonlyMap<string, Said> = new Map();

  constructor(timers: Pick<Timers, "now" | "timestamp">) {
    this.#timers = timers;
  }

  /** Returns since when each node is in its state, in ISO 8601, by the order of the nodes. */
  timestamps(peers: readonly Peer[]): readonly string[] {
    const said = new Map<string, Said>();
    const timestamps = peers.map((peer) => {
      const time = this.#timeOf(this.#said.get(peer.address), peer);
      said.set(peer.address, time);
      return time.timestamp;
    });
    this.#said = said;
    return timestamps;
  }

  #timeOf(before: Said | undefined, { state, sinceMs: ageMs }: Peer): Said {
    const sinceMs = this.#timers.now() - ageMs;
    const isSame = before?.state === state && Math.abs(before.sinceMs - sinceMs) < SAME_MS;
    return isSame ? before : { state, sinceMs, timestamp: this.#timers.timestamp(ageMs) };
  }
}
