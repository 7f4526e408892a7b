// Logs that a node of the store is asked no more, and that it is again: a line for each change, and of a circuit that
// flaps no more than a few a minute.

import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "./logger.ts";
import { MAX_NODES, type NodeChange } from "./store-circuits.ts";

/** Of one node, so many lines are written at once in each span of this length. */
const LINES_AT_ONCE = 6;
const SPAN_MS = 60_000;

interface Spoken {
  startedMs: number;
  lines: number;
  /** What the last line said. */
  away: boolean;
  leftOut: number;
  last: NodeChange;
  cancel: (() => void) | undefined;
}

/** A log of circuits. */
export interface CircuitLog {
  changed(change: NodeChange): void;
  /** Says nothing more by itself. */
  stop(): void;
}

/**
 * Creates it.
 * @param name says which store it is where it has one node only.
 */
export function createCircuitLog(
  logger: Logger,
  timers: Pick<Timers, "now" | "after">,
  name: string,
): CircuitLog {
  const nodes = new Map<string, Spoken>();
  const say = (spoken: Spoken) => {
    const { node, state, since, reason } = spoken.last;
    const { leftOut } = spoken;
    spoken.leftOut = 0;
    spoken.away = state !== "closed";
    const fields = { node: node || name, state, ...(leftOut === 0 ? {} : { leftOut }) };
    if (spoken.away)
      logger.warn({ ...fields, reason, since }, "circuit opened: onStoreFailure answers");
    else logger.info(fields, "circuit closed: the store decides again");
  };
  const spokenOf = (change: NodeChange): Spoken => {
    const nowMs = timers.now();
    let spoken = nodes.get(change.node);
    if (spoken === undefined) {
      if (nodes.size >= MAX_NODES) {
        const [oldest] = nodes.keys();
        nodes.get(oldest!)!.cancel?.();
        nodes.delete(oldest!);
      }
      spoken = {
        startedMs: nowMs,
        lines: 0,
        away: false,
        leftOut: 0,
        last: change,
        cancel: undefined,
      };
      nodes.set(change.node, spoken);
    } else if (nowMs - spoken.startedMs >= SPAN_MS) {
      spoken.startedMs = nowMs;
      spoken.lines = 0;
    }
    return spoken;
  };
  return {
    changed(change) {
      const away = change.state !== "closed";
      if (away && change.before !== "closed") {
        // One probe after the other, a few each second.
        logger.debug({ node: change.node || name, state: change.state }, "circuit probed");
        return;
      }
      const spoken = spokenOf(change);
      spoken.last = change;
      if (spoken.lines < LINES_AT_ONCE) {
        spoken.lines += 1;
        say(spoken);
        return;
      }
      spoken.leftOut += 1;
      spoken.cancel ??= timers.after(spoken.startedMs + SPAN_MS - timers.now(), () => {
        spoken.cancel = undefined;
        spoken.startedMs = timers.now();
        spoken.lines = 1;
        say(spoken);
      });
    },
    stop() {
      for (const { cancel } of nodes.values()) cancel?.();
    },
  };
}
