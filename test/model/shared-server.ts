// The store that the nodes of a model share: memory on virtual time, behind a network that delays, loses and cuts off.
// An answer that is lost stands for work that was done and that nobody was told of.

import {
  type Decision,
  memoryStore,
  type Outcome,
  type Policy,
  type Store,
  TidegateError,
  type Work,
} from "tidegate";
import type { VirtualTime } from "tidegate/simulation";
import type { SeededRandom } from "../support/seeded-random.ts";
import { chance } from "./chance.ts";

/** How the network and the store behave. */
export interface NetworkOptions {
  /** Microseconds one way, at least and at most. */
  readonly latencyUs: readonly [number, number];
  /** Shares of the calls whose question or answer is lost. */
  readonly lostQuestions: number;
  readonly lostAnswers: number;
  /** Whether calls of one node may overtake each other. */
  readonly overtakes: boolean;
  /** Microseconds by which the answers to announcements may be later than others; 0 none. */
  readonly lateCountsUs: number;
}

/** What becomes of questions while the store is away. */
export type Absence = "refuses" | "hangs" | "freezes";

/** The store, and what was asked of it. */
export class SharedServer {
  /** Calls, each of one turn of a node's event loop; keys asked about in them. */
  calls = 0;
  works = 0;
  readonly memory;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly network: NetworkOptions;
  readonly #nodes = new Map<string, number>();
  #absence: Absence | undefined;
  #backUs = 0;

  constructor(time: VirtualTime, random: SeededRandom, network: NetworkOptions) {
    this.time = time;
    this.random = random;
    this.network = network;
    const clock = { now: () => time.nowUs };
    this.memory = memoryStore({ clock, random: { next: () => chance(random) } });
  }

  /** Has the store be away until an instant. */
  leave(absence: Absence, backUs: number): void {
    this.#absence = absence;
    this.#backUs = backUs;
  }

  /** How it is away now. */
  get absence(): Absence | undefined {
    return this.time.nowUs < this.#backUs ? this.#absence : undefined;
  }

  get backUs(): number {
    return this.#backUs;
  }

  announce(limiter: string, ttlMs: number): number {
    const now = this.time.nowUs;
    if (ttlMs === 0) this.#nodes.delete(limiter);
    else this.#nodes.set(limiter, now + ttlMs * 1_000);
    for (const [name, untilUs] of this.#nodes) if (untilUs <= now) this.#nodes.delete(name);
    return this.#nodes.size;
  }

  /** Units that a key has left. */
  remaining(policy: Policy, key: string): number {
    return this.memory.decide(policy, key, 0, false).remaining;
  }
}

/** Work of one turn, on its way. */
interface Message {
  readonly atUs: number;
  readonly works: (() => void)[];
  readonly refuse: (() => void)[];
}

/** A node's connection: a store whose answers take time, or never come. */
export interface Connection {
  readonly store: Store;
  /** When the work was done that was answered last. */
  readonly answeredUs: number;
  /** Units of a key that the store has debited for this node, and not got back. */
  debited(key: string): number;
}

/** A node's calls. */
interface Calls {
  /** Has work done at the store, together with all of this turn, and answers. */
  call<T>(work: () => T): Promise<T>;
  answeredUs(): number;
}

function createCalls(server: SharedServer, isAlive: () => boolean): Calls {
  const { time, random, network } = server;
  let message: Message | undefined;
  let arrivedUs = 0;
  let answeredUs = 0;
  let doneUs = 0;
  const onTheWay = () => random.between(...network.latencyUs);

  function answer(settle: () => void): void {
    const atUs = time.nowUs + onTheWay();
    answeredUs = network.overtakes ? atUs : Math.max(atUs, answeredUs);
    time.at(answeredUs, () => {
      if (isAlive()) settle();
    });
  }

  function arrive({ works, refuse }: Message): void {
    const absence = server.absence;
    if (absence === "freezes") {
      time.at(server.backUs, () => arrive({ works, refuse, atUs: 0 }));
      return;
    }
    if (absence === "refuses") answer(() => runAll(refuse));
    if (absence === undefined) runAll(works);
  }

  function send(): Message {
    const sent: Message = { atUs: time.nowUs, works: [], refuse: [] };
    server.calls += 1;
    if (chance(random) < network.lostQuestions) return sent;
    const atUs = time.nowUs + onTheWay();
    arrivedUs = network.overtakes ? atUs : Math.max(atUs, arrivedUs);
    time.at(arrivedUs, () => arrive(sent));
    if (chance(random) < network.lostAnswers) lost.add(sent);
    return sent;
  }

  const lost = new WeakSet<Message>();
  function call<T>(work: () => T): Promise<T> {
    if (message?.atUs !== time.nowUs) message = send();
    const own = message;
    server.works += 1;
    return new Promise((resolve, reject) => {
      own.works.push(() => {
        const value = work();
        const atUs = time.nowUs;
        if (lost.has(own)) return;
        answer(() => {
          doneUs = atUs;
          resolve(value);
        });
      });
      own.refuse.push(() => reject(new TidegateError("STORE_UNAVAILABLE", "refused: model")));
    });
  }

  return { call, answeredUs: () => doneUs };
}

/** Creates a node's connection. */
export function connect(server: SharedServer, isAlive: () => boolean): Connection {
  const { memory, time, random, network } = server;
  const { call, answeredUs } = createCalls(server, isAlive);
  const told = (decision: Decision): Decision => ({ ...decision, source: "store" });
  const debits = new Map<string, number>();
  function note(work: Work, { done, lease }: Outcome): void {
    if (work.kind !== "lease") return;
    const { key } = work.part;
    const back = work.ask.backs.reduce((sum, { units }) => sum + units, 0);
    const granted = done ? lease!.units : 0;
    debits.set(key, (debits.get(key) ?? 0) + granted + work.ask.owed - back);
  }
  const store: Store = {
    shared: true,
    decide: (...args) => call(() => told(memory.decide(...args))),
    run: (work) =>
      call(() => {
        const outcome = memory.run(work);
        note(work, outcome);
        return { ...outcome, decision: told(outcome.decision) };
      }),
    split: (parts) => [parts],
    reset: (...args) => call(() => memory.reset(...args)),
    ping: () => call(() => {}),
    async announce(limiter, ttlMs) {
      const count = await call(() => server.announce(limiter, ttlMs));
      if (network.lateCountsUs === 0) return count;
      const atUs = time.nowUs + random.between(0, network.lateCountsUs);
      return new Promise((resolve) => time.at(atUs, () => resolve(count)));
    },
    attach() {},
    detach() {},
  };
  return {
    store,
    get answeredUs() {
      return answeredUs();
    },
    debited: (key) => debits.get(key) ?? 0,
  };
}

function runAll(works: readonly (() => void)[]): void {
  for (const work of works) work();
}
