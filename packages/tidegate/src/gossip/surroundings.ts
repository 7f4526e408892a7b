// What a node knows of the others in this round, as far as its decisions hang on it.

/** Other nodes, as of this round. */
export interface View {
  /** Nodes that are heard from, this one included; and those that there are, with those that are away. */
  reachable: number;
  nodes: number;
  /** Nodes of which the news is as young as it should be, and since when they are the same ones; microseconds. */
  fresh: number;
  staleSince: number;
  /** Mean age of what is known of those that are heard from, in microseconds. */
  lagUs: number;
  /** Instant up to which everything is known of all that are heard from. */
  certainAt: number;
  /** The same of those of which the news is as young as it should be, and of all that there are. */
  freshUntil: number;
  allCertainAt: number;
}

/** All other nodes. */
export interface Surroundings extends View {
  /** Number of the round. */
  round: number;
  /** When the next round begins, by the steady clock, in microseconds. */
  nextRoundAt: number;
  /** Whether it was found out who is there. */
  hasJoined: boolean;
  /** Those of this node's region. */
  readonly near: View;
}

/** Creates those of a node that knows of nobody. */
export function createSurroundings(): Surroundings {
  return { ...createView(), round: 0, nextRoundAt: 0, hasJoined: false, near: createView() };
}

function createView(): View {
  return {
    reachable: 1,
    nodes: 1,
    fresh: 1,
    staleSince: 0,
    lagUs: 0,
    certainAt: Number.POSITIVE_INFINITY,
    freshUntil: Number.POSITIVE_INFINITY,
    allCertainAt: Number.POSITIVE_INFINITY,
  };
}
