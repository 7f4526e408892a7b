// Sums up what is known of nodes, one after another, into a view of them.

import type { View } from "./surroundings.ts";

/** How one node stands. */
export interface Seen {
  readonly address: string;
  readonly isReachable: boolean;
  readonly isFresh: boolean;
  /** Instant up to which everything is known of it. */
  readonly asOf: number;
}

/** Sums up nodes into a view. */
export class Viewer {
  readonly #view: View;
  #names = "";

  constructor(view: View) {
    this.#view = view;
  }

  /**
   * Looks at all nodes of the view but this one.
   * @param hasJoined whether it was found out who is there: until then all are believed to be.
   * @param now steady clock, in microseconds.
   */
  see(nodes: readonly Seen[], hasJoined: boolean, now: number): void {
    const view = this.#view;
    const reachable = nodes.filter(({ isReachable }) => isReachable);
    const fresh = reachable.filter(({ isFresh }) => isFresh);
    view.nodes = nodes.length + 1;
    view.reachable = hasJoined ? reachable.length + 1 : view.nodes;
    view.fresh = hasJoined ? fresh.length + 1 : view.nodes;
    const lag = reachable.reduce((sum, { asOf }) => sum + now - asOf, 0);
    view.lagUs = reachable.length > 0 ? lag / reachable.length : 0;
    view.certainAt = leastOf(reachable);
    view.freshUntil = leastOf(fresh);
    view.allCertainAt = leastOf(nodes);
    const names = fresh
      .map(({ address }) => address)
      .sort()
      .join(" ");
    if (names !== this.#names) view.staleSince = now;
    this.#names = names;
  }
}

function leastOf(nodes: readonly Seen[]): number {
  return nodes.reduce((least, { asOf }) => Math.min(least, asOf), Number.POSITIVE_INFINITY);
}
