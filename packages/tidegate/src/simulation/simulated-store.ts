// The store that the nodes of a simulation share: memory on virtual time, behind a network. An answer that is lost
// stands for work that was done and that nobody was told of.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import { type MemoryStore, memoryStore } from "../stores/memory.ts";
import { createSeededRandom } from "./seeded-random.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What becomes of questions while the store is away. */
export type Absence = "refuses" | "hangs" | "freezes";

/** Checks in one call at most, as the store on Redis has by default. */
const MAX_BATCH = 128;

/** After so long without an answer a connection gives a call up, as one of the store on Redis does. */
const GIVE_UP_US = 1_000_000;

/** The store, and what was asked of it. */
export class SimulatedStore {
  /** Calls, each of one turn of a node's event loop. */
  calls = 0;
  /** Keys asked about in them. */
  keyUpdates = 0;
  memory: MemoryStore;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  /** Whether it stands beside its nodes, wherever they are, and not beside the first. */
  readonly isNear: boolean;
  readonly #seed: number;
  readonly #limiters = new Map<string, number>();
  #absence: Absence | undefined;
  #frozen: (() => void)[] = [];

  constructor(time: VirtualTime, network: SimulatedNetwork, seed: number, isNear: boolean) {
    this.time = time;
    this.network = network;
    this.isNear = isNear;
    this.#seed = seed;
    this.memory = this.#createMemory();
  }

  #createMemory(): MemoryStore {
    const random = createSeededRandom(this.#seed, 1);
    return memoryStore({ clock: { now: () => this.time.nowUs }, random });
  }

  /** Has it be away. */
  leave(absence: Absence): void {
    this.#absence = absence;
  }

  /** Has it be back, where `forgets` is set with nothing in it. */
  comeBack(forgets: boolean): void {
    this.#absence = undefined;
    if (forgets) {
      this.memory = this.#createMemory();
      this.#limiters.clear();
    }
    for (const work of this.#frozen.splice(0)) work();
  }

  /** Whether what arrives now is done, refused, or waits for an answer that comes late or never. */
  get state(): Absence | "answers" {
    return this.#absence ?? "answers";
  }

  /** Has work be done when the store is back. */
  whenBack(work: () => void): void {
    this.#frozen.push(work);
  }

  announce(limiter: string, ttlMs: number): number {
    const now = this.time.nowUs;
    if (ttlMs === 0) this.#limiters.delete(limiter);
    else this.#limiters.set(limiter, now + ttlMs * 1_000);
    for (const [name, untilUs] of this.#limiters) {
      if (untilUs <= now) this.#limiters.delete(name);
    }
    return this.#limiters.size;
  }
}

/** What goes out with one turn of the event loop. */
interface Message {
  readonly atUs: number;
  readonly works: (() => void)[];
  readonly refusals: (() => void)[];
}

/** A store as a node sees it. */
export interface ConnectedStore extends Store {
  /** When the store did what the node was told last. */
  workedUs(): number;
}

/**
 * Creates a node's connection: a store whose answers take time, or never come.
 * @param run does what the node does on an answer; later or never where the node is away.
 */
export function connect(
  store: SimulatedStore,
  node: number,
  run: (work: () => void) => void,
): ConnectedStore {
  const connection = new Connection(store, node, run);
  const call = <T>(decide: () => T) => connection.call(decide);
  return {
    workedUs: () => connection.workedUs,
    shared: true,
    decide: (...asked) => call(() => toldByStore(store.memory.decide(...asked))),
    run: (asked) => {
      return call(() => {
        const outcome = store.memory.run(asked);
        return { ...outcome, decision: toldByStore(outcome.decision) };
      });
    },
    split: (parts) => [parts],
    reset: (...asked) => call(() => store.memory.reset(...asked)),
    ping: () => call(() => {}),
    announce: (limiter, ttlMs) => call(() => store.announce(limiter, ttlMs)),
    attach() {},
    detach() {},
  };
}

/** Carries the calls of a node in messages, and their answers back. */
class Connection {
  workedUs = 0;
  readonly #store: SimulatedStore;
  readonly #node: number;
  readonly #run: (work: () => void) => void;
  #message: Message | undefined;
  /** What answers the message that is worked on. */
  #settlements: (() => void)[] = [];
  #arrivesUs = 0;
  #answeredUs = 0;

  constructor(store: SimulatedStore, node: number, run: (work: () => void) => void) {
    this.#store = store;
    this.#node = node;
    this.#run = run;
  }

  /** Has the store decide, together with what else is asked at this instant. */
  call<T>(decide: () => T): Promise<T> {
    const { time } = this.#store;
    const last = this.#message;
    const joins = last?.atUs === time.nowUs && last.works.length < MAX_BATCH;
    const message = joins ? last : this.#send();
    this.#message = message;
    this.#store.keyUpdates += 1;
    return new Promise((resolve, reject) => {
      message.works.push(() => {
        const value = decide();
        this.#settlements.push(() => resolve(value));
      });
      message.refusals.push(() => {
        reject(new TidegateError("STORE_UNAVAILABLE", "the simulated store gave no answer"));
      });
    });
  }

  #send(): Message {
    const { time, network } = this.#store;
    const message: Message = { atUs: time.nowUs, works: [], refusals: [] };
    this.#store.calls += 1;
    const travelUs = network.travelUs(this.#node, "questions", this.#store.isNear);
    if (travelUs === undefined) {
      this.#giveUp(message);
    } else {
      this.#arrivesUs = Math.max(time.nowUs + travelUs, this.#arrivesUs);
      time.at(this.#arrivesUs, () => this.#arrive(message));
    }
    return message;
  }

  #arrive(message: Message): void {
    const { state } = this.#store;
    if (state === "answers") this.#work(message);
    else if (state === "refuses") this.#answer(message, message.refusals);
    else this.#giveUp(message);
    if (state === "freezes") this.#store.whenBack(() => this.#work(message));
  }

  #work(message: Message): void {
    this.#settlements = [];
    runAll(message.works);
    this.#answer(message, this.#settlements);
  }

  #answer(message: Message, answers: readonly (() => void)[]): void {
    const { time, network } = this.#store;
    const travelUs = network.travelUs(this.#node, "answers", this.#store.isNear);
    if (travelUs === undefined) {
      this.#giveUp(message);
      return;
    }
    const workedUs = time.nowUs;
    const tell = () => {
      this.workedUs = workedUs;
      runAll(answers);
    };
    this.#answeredUs = Math.max(workedUs + travelUs, this.#answeredUs);
    time.at(this.#answeredUs, () => this.#run(tell));
  }

  #giveUp({ atUs, refusals }: Message): void {
    this.#store.time.at(atUs + GIVE_UP_US, () => this.#run(() => runAll(refusals)));
  }
}

function toldByStore(decision: Decision): Decision {
  return { ...decision, source: "store" };
}

function runAll(works: readonly (() => void)[]): void {
  for (const work of works) work();
}
