// One key of one policy, as a node that gossips sees it: what it admitted itself, what others say they did, and which
// part of what is left it may spend.

import type { Policy } from "../policy/policy.ts";

/** What a node says of one key. Written by that node alone, each time with a higher version. */
export class Register<Origin = unknown> {
  readonly origin: Origin;
  /** Names it among those of its origin; never used again. */
  readonly id: number;
  readonly key: CountedKey;
  version = 0;
  /** From this version on whoever knows less is told what it is about: it is new, or may have been forgotten. */
  namedAt: number;
  /** Units that whoever knew all that was said before that had been told of. */
  base = 0;
  /** Units admitted since it was born, less those given back. */
  units = 0;
  /** Units asked for per second, as demand.ts codes them. */
  demand = 0;
  /** Times that the key was reset there. */
  resets = 0;
  /** Number of limits of its policy there. */
  readonly limits: number;
  /** By limit, a byte each: how much of it was in use there, by its own account of all nodes; in hundredths. */
  #levels = 0;
  #moreLevels = 0;
  /** For each limit that counts in windows, the window there, and what was admitted there in it. */
  windows: readonly WindowCount[] = [];
  /** When it was last written or learned, by this node's steady clock, in microseconds. */
  touchedAt = 0;
  /** Where its origin's log has it last, and where it was named; -1 where it has not. Kept by the log. */
  place = -1;
  namedPlace = -1;

  constructor(origin: Origin, id: number, key: CountedKey, namedAt: number, limits: number) {
    this.origin = origin;
    this.id = id;
    this.key = key;
    this.namedAt = namedAt;
    this.limits = limits;
  }

  /** How much of a limit was in use there, by its own account of all nodes: in hundredths, 255 at most. */
  levelOf(limit: number): number {
    const levels = limit < 4 ? this.#levels : this.#moreLevels;
    return (levels >>> (8 * (limit % 4))) & 0xff;
  }

  setLevel(limit: number, level: number): void {
    const at = 8 * (limit % 4);
    const others = ~(0xff << at);
    if (limit < 4) this.#levels = (this.#levels & others) | (level << at);
    else this.#moreLevels = (this.#moreLevels & others) | (level << at);
  }
}

/** What one node admitted itself in one window of a limit, and in the one before. */
export interface WindowCount {
  /** When the window began, by this node's steady clock: no clocks are compared, only ages told. */
  startedAt: number;
  present: number;
  before: number;
}

/** A key. */
export class CountedKey {
  readonly policyName: string;
  readonly name: string;
  /** Where the store has it. */
  at = 0;
  /** Whether it is not among the keys any more. */
  isForgotten = false;
  /** What it is decided by here; undefined where this node does not count it by gossip. */
  policy: Policy | undefined;
  /** The generation of policies in which that was looked up. */
  generation = -1;
  /** What others say. */
  readonly registers: Register[] = [];
  /** What this node says; undefined until it has admitted something. */
  own: Register | undefined;
  /** What this node admitted since its register was born, net. */
  units = 0;
  /** What it had admitted at the begin of each window of a limit. */
  windows: OwnWindow[] = [];
  resets = 0;
  /** Units asked for since demand was last reckoned, and demand as of then, in units per second. */
  asked = 0;
  /** Rounds in which there was something to tell of it and no room. */
  waited = 0;
  demand = 0;
  demandAt = 0;
  /** Whether it is in the list of those that are looked at each round. */
  isActive = false;
  /** Since when it is asked for; Infinity while it is not. */
  wantedSince = Number.POSITIVE_INFINITY;
  /** Units that may be spent before the share is reckoned again, and the round in which that was. */
  allowance = 0;
  round = -1;
  /** Until when the allowance holds, by the store's clock: no window ends before. */
  holdsUntil = 0;
  /** What the allowance would be if nothing had been spent of it, and until when all was known when it was reckoned. */
  granted = 0;
  knownUntil = Number.NEGATIVE_INFINITY;
  /** What comes back of this node's part, in units per microsecond, and until when that is in the allowance. */
  unitsPerUs = 0;
  accruedAt = 0;
  /** Units spent of which others near may not know yet, so that what they spent meanwhile is not known here. */
  unseen = 0;
  /** The same of all that are heard from, and until when all was known of them when that was reckoned. */
  unseenLate = 0;
  lateKnownUntil = Number.NEGATIVE_INFINITY;
  /** Since when it is in debt; Infinity while it is not. */
  inDebtSince = Number.POSITIVE_INFINITY;
  /** The part of nodes that are not heard from, and since when they were not when that was reckoned. */
  partSilent = 0;
  silentSince = 0;
  /** Units that they were presumed to have spent, what is left over of one, and the room after they had. */
  presumed = 0;
  presumedRest = 0;
  /** Units that there were to share since then. */
  shared = 0;
  expectedRoom = 0;

  constructor(policyName: string, name: string) {
    this.policyName = policyName;
    this.name = name;
  }
}

/** A window of a limit, and the units that this node had admitted when it began, and when the one before did. */
export interface OwnWindow {
  start: number;
  base: number;
  baseBefore: number;
}
