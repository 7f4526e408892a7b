// The store that the nodes of a simulation share: memory on virtual time, behind a network. An answer that is lost
// stands for work that was done and that nobody was told of.

import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { Outcome, Part, Store, Work } from "../ports/store.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import { StoreReplicas, type Taken } from "./store-replicas.ts";
import { StoreState } from "./store-state.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What becomes of questions while the store is away. */
export type Absence = "refuses" | "hangs" | "freezes";

/** Checks in one call at most, as the store on Redis has by default. */
const MAX_BATCH = 128;

/** After so long without an answer a connection gives a call up, as one of the store on Redis does. */
const GIVE_UP_US = 1_000_000;

/** What comes back: the store as it was, an empty one, or its next replica, as it was some time before that went. */
export type Return = "whole" | "empty" | "replica";

/** What a store is made of. */
export interface SimulatedStoreOptions {
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly seed: number;
  /** Whether it stands beside its nodes, wherever they are, and not beside the first. */
  readonly isNear: boolean;
  /** What each failover that is to come loses, in the order of time, in microseconds. */
  readonly lossesUs: readonly number[];
}

const NOTHING: Taken = { key: "", units: 0 };

/** The store, and what was asked of it. */
export class SimulatedStore {
  /** Calls, each of one turn of a node's event loop. */
  calls = 0;
  /** Keys asked about in them. */
  keyUpdates = 0;
  /** Units by key that it took and that failovers lost. */
  readonly lostUnits = new Map<string, number>();
  /** Whether it knows the scripts that are called by their hashes: another server, or one begun anew, does not. */
  hasScripts = true;
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly isNear: boolean;
  readonly #create: () => StoreState;
  readonly #replicas: StoreReplicas;
  #state: StoreState;
  #absence: Absence | undefined;
  #leftUs = 0;
  #frozen: (() => void)[] = [];

  constructor({ time, network, seed, isNear, lossesUs }: SimulatedStoreOptions) {
    this.time = time;
    this.network = network;
    this.isNear = isNear;
    this.#create = () => new StoreState(seed);
    this.#replicas = new StoreReplicas(lossesUs, this.#create);
    this.#state = this.#create();
  }

  /** Has it be away. */
  leave(absence: Absence): void {
    this.#absence = absence;
    this.#leftUs = this.time.nowUs;
  }

  /** Has it be back. */
  comeBack(as: Return): void {
    this.#absence = undefined;
    if (as === "empty") {
      this.#state = this.#create();
      this.#replicas.forget();
    } else if (as === "replica") {
      const { state, lost } = this.#replicas.promote(this.#leftUs);
      this.#state = state;
      for (const { key, units } of lost) {
        if (units > 0) this.lostUnits.set(key, (this.lostUnits.get(key) ?? 0) + units);
      }
    }
    if (as !== "whole") this.hasScripts = false;
    for (const work of this.#frozen.splice(0)) work();
  }

  /**
   * Does work now.
   * @param takenBy returns what it took, by what came of it.
   */
  do<T>(work: (state: StoreState) => T, takenBy: (value: T) => Taken): T {
    const { nowUs } = this.time;
    this.#state.nowUs = nowUs;
    const value = work(this.#state);
    this.#replicas.follow({ atUs: nowUs, work, taken: takenBy(value) });
    return value;
  }

  /** Whether what arrives now is done, refused, or waits for an answer that comes late or never. */
  get state(): Absence | "answers" {
    return this.#absence ?? "answers";
  }

  /** Has work be done when the store is back. */
  whenBack(work: () => void): void {
    this.#frozen.push(work);
  }
}

/** What goes out with one turn of the event loop. */
interface Message {
  readonly atUs: number;
  /** Whether any of it calls a script that the store has to know. */
  isScripted: boolean;
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
  const call = <T>(work: (state: StoreState) => T) => {
    return connection.call(() => store.do(work, () => NOTHING));
  };
  return {
    workedUs: () => connection.workedUs,
    shared: true,
    decide: (policy, key, cost, consume) => {
      const decide = ({ memory }: StoreState) => memory.decide(policy, key, cost, consume);
      const taken = ({ allowed }: Decision) => ({ key, units: allowed && consume ? cost : 0 });
      return connection.callScript(() => toldByStore(store.do(decide, taken)));
    },
    run: (asked) => {
      return connection.callScript(() => {
        const run = ({ memory }: StoreState) => memory.run(asked);
        const outcome = store.do(run, (value) => takenBy(asked, value));
        return { ...outcome, decision: toldByStore(outcome.decision) };
      });
    },
    split: (parts) => [parts],
    reset: (policy, key) => call(({ memory }) => memory.reset(policy, key)),
    ping: () => call(() => {}),
    announce: (limiter, ttlMs) => call((state) => state.announce(limiter, ttlMs)),
    attach() {},
    detach() {},
  };
}

/** What a request for one key took, or a lease and what was owed. */
function takenBy(work: Work, { done, lease }: Outcome): Taken {
  if (work.kind === "lease") {
    return { key: work.part.key, units: lease!.units + work.ask.owed };
  }
  if (work.kind !== "take" || !done) return NOTHING;
  const [{ key, cost }] = work.parts as [Part];
  return { key, units: cost };
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

  /** The same as `call`, of what is a script that the store may not know any more. */
  callScript<T>(decide: () => T): Promise<T> {
    const answer = this.call(decide);
    this.#message!.isScripted = true;
    return answer;
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
    const { nowUs } = this.#store.time;
    const message: Message = { atUs: nowUs, isScripted: false, works: [], refusals: [] };
    this.#carry(message, () => this.#arrive(message));
    return message;
  }

  /** Has a message travel to the store. */
  #carry(message: Message, arrive: () => void): void {
    const { time, network } = this.#store;
    this.#store.calls += 1;
    const travelUs = network.travelUs(this.#node, "questions", this.#store.isNear);
    if (travelUs === undefined) {
      this.#giveUp(message);
      return;
    }
    this.#arrivesUs = Math.max(time.nowUs + travelUs, this.#arrivesUs);
    time.at(this.#arrivesUs, arrive);
  }

  /** Sends what called a script by its hash that the store does not know again, with the text. */
  #sendText(message: Message): void {
    const arrive = () => {
      if (this.#store.state === "answers") this.#store.hasScripts = true;
      this.#arrive(message);
    };
    this.#answer(message, [() => this.#carry(message, arrive)]);
  }

  #arrive(message: Message): void {
    const { state, hasScripts } = this.#store;
    if (state === "answers" && message.isScripted && !hasScripts) this.#sendText(message);
    else if (state === "answers") this.#work(message);
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
