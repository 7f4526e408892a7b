// The circuits to the nodes of a store: one for each node and deadline, so that neither a shard that is down nor a
// policy that is in a hurry degrades the others.

import { TidegateError } from "../errors.ts";
import type { Policy } from "../policy/policy.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { DeadlineError, Flight } from "./flight.ts";

/** What they are made of. */
export interface CircuitsOptions {
  readonly store: Store;
  readonly telemetry: Telemetry | undefined;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/** Circuits kept at most; a Cluster has no more nodes than this, and policies few deadlines. */
const MAX_CIRCUITS = 10_000;

/**
 * With so many probes that nobody has answered or refused yet, most are left out: a client of the application's may
 * keep them for as long as an outage lasts, and send them all when it is over.
 */
const MAX_UNANSWERED = 8;
/** Then so many are left out for each that is sent, every half minute: the others may never be answered at all. */
const LEFT_OUT = 59;

/** A node, under one deadline. */
export class Circuit {
  readonly breaker: CircuitBreaker;
  readonly #node: string;
  readonly #deadlineMs: number;
  readonly #options: CircuitsOptions;
  readonly #endTurn: (circuit: Circuit) => void;
  #flight: Flight | undefined;
  /** Probes whose answers are still to come, in time or not. */
  #unanswered = 0;
  /** Probes in a row that were not sent, for there were too many of those. */
  #leftOut = 0;
  /** Ends the probe that is under way. */
  #endProbe = () => {};

  constructor(
    node: string,
    deadlineMs: number,
    options: CircuitsOptions,
    endTurn: (circuit: Circuit) => void,
  ) {
    this.#node = node;
    this.#deadlineMs = deadlineMs;
    this.#options = options;
    this.#endTurn = endTurn;
    const { telemetry, clock, timer, random } = options;
    this.breaker = new CircuitBreaker({
      clock,
      timer,
      random,
      probe: () => this.#probe(),
      changed: (state, reason) => telemetry?.circuitChanged?.({ node, deadlineMs, state, reason }),
    });
  }

  /** Returns what goes out with this turn of the event loop. */
  flight(): Flight {
    if (this.#flight === undefined) {
      const { clock, timer, scheduler } = this.#options;
      this.#flight = new Flight({
        breaker: this.breaker,
        deadlineMs: this.#deadlineMs,
        timer,
        scheduler,
        askedAt: clock.now(),
      });
      this.#endTurn(this);
    }
    return this.#flight;
  }

  /** What is asked from now on goes out later. */
  endFlight(): void {
    this.#flight = undefined;
  }

  /** Creates the error for a call that is not made, since the node is away. */
  awayError(): TidegateError {
    const where = this.#node === "" ? "the store" : `the store's node ${this.#node}`;
    const { state, reason, untilProbeMs } = this.breaker;
    const next =
      state === "open" ? `and is asked again in ${untilProbeMs} ms at most` : "and is asked now";
    return new TidegateError("STORE_UNAVAILABLE", `${where} is away (${reason}), ${next}`);
  }

  /** Ends the probes, also one that is under way. */
  stop(): void {
    this.breaker.stop();
    this.#endProbe();
  }

  #probe(): Promise<void> {
    const { timer, scheduler } = this.#options;
    const deadlineMs = this.#deadlineMs;
    return new Promise((resolve, reject) => {
      if (this.#unanswered >= MAX_UNANSWERED && this.#leftOut < LEFT_OUT) {
        this.#leftOut += 1;
        reject(new Error(`no answer to ${this.#unanswered} probes yet`));
        return;
      }
      this.#leftOut = 0;
      const cancel = timer.after(deadlineMs, () => {
        // Where this process was busy for that long, what has arrived meanwhile is read first.
        scheduler.afterTurn(() => reject(new DeadlineError(deadlineMs)));
      });
      this.#endProbe = () => {
        cancel();
        resolve();
      };
      this.#ping().then(this.#endProbe, (error: unknown) => {
        cancel();
        reject(error);
      });
    });
  }

  async #ping(): Promise<void> {
    this.#unanswered += 1;
    try {
      await this.#options.store.ping(this.#node);
    } finally {
      this.#unanswered -= 1;
    }
  }
}

/** All circuits of one store. */
export class Circuits {
  readonly #options: CircuitsOptions;
  readonly #byDeadline = new Map<number, Map<string, Circuit>>();
  /** Circuits with a flight that is still in this turn. */
  #inTurn: Circuit[] = [];
  /** The one asked for last, where the store has one node only. */
  #last: Circuit | undefined;
  #lastDeadlineMs = 0;
  #size = 0;
  #stopped = false;

  constructor(options: CircuitsOptions) {
    this.#options = options;
  }

  /** One of the circuits where there are any, and none of them is closed: all of the store is known to be away. */
  get away(): Circuit | undefined {
    let one: Circuit | undefined;
    for (const circuits of this.#byDeadline.values()) {
      for (const circuit of circuits.values()) {
        if (circuit.breaker.state === "closed") return undefined;
        one = circuit;
      }
    }
    return one;
  }

  /** Finds the circuit for calls about a key. */
  of(policy: Policy, key: string, deadlineMs = policy.deadlineMs): Circuit {
    const { store } = this.#options;
    if (store.nodeOf !== undefined) return this.#find(store.nodeOf(policy, key), deadlineMs);
    if (this.#last === undefined || deadlineMs !== this.#lastDeadlineMs) {
      this.#last = this.#find("", deadlineMs);
      this.#lastDeadlineMs = deadlineMs;
    }
    return this.#last;
  }

  /** Ends all probes, and begins no more. */
  stop(): void {
    this.#stopped = true;
    for (const circuits of this.#byDeadline.values()) {
      for (const circuit of circuits.values()) circuit.stop();
    }
  }

  #find(node: string, deadlineMs: number): Circuit {
    let circuits = this.#byDeadline.get(deadlineMs);
    if (circuits === undefined) {
      circuits = new Map();
      this.#byDeadline.set(deadlineMs, circuits);
    }
    let circuit = circuits.get(node);
    if (circuit === undefined) {
      if (this.#size >= MAX_CIRCUITS) this.#forget();
      circuit = new Circuit(node, deadlineMs, this.#options, (one) => this.#endTurnOf(one));
      if (this.#stopped) circuit.stop();
      circuits.set(node, circuit);
      this.#size += 1;
    }
    return circuit;
  }

  /** Nodes come and go under new addresses; those that are closed need not be remembered. */
  #forget(): void {
    this.#last = undefined;
    const all = [...this.#byDeadline.values()].flatMap((circuits) => {
      return [...circuits].map(([node, circuit]) => ({ circuits, node, circuit }));
    });
    const closed = all.filter(({ circuit }) => circuit.breaker.state === "closed");
    // Where none is, one that has long been away is most likely gone for good.
    for (const { circuits, node, circuit } of closed.length > 0 ? closed : all.slice(0, 1)) {
      circuits.delete(node);
      // Its last calls may yet fail, and must not begin to probe what nobody would stop.
      circuit.stop();
      this.#size -= 1;
    }
  }

  #endTurnOf(circuit: Circuit): void {
    if (this.#inTurn.push(circuit) > 1) return;
    this.#options.scheduler.afterTurn(() => {
      const ended = this.#inTurn;
      this.#inTurn = [];
      for (const one of ended) one.endFlight();
    });
  }
}
