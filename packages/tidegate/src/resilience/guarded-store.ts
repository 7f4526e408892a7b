// A store that always answers in time: what the store that nodes share does not answer within the policy's deadline,
// the policy does. Nothing waits for a store that is known to be away, and denials that still hold are not asked again.

import { combineDecisions, type Decision } from "../decision.ts";
import { isUnavailable, TidegateError } from "../errors.ts";
import { isNever, type Policy } from "../policy/policy.ts";
import type { AnsweringStore, CertainNodes } from "../ports/answering-store.ts";
import type { Clock, SteadyClock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { AnswerTo, LeaseWork, Outcome, Part, Store, Work } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Timer } from "../ports/timer.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { Circuits } from "./circuits.ts";
import { DenialCache } from "./denial-cache.ts";
import { FailureAnswers, type Take } from "./failure-answers.ts";
import { Call, type Flight } from "./flight.ts";
import { LiveNodes } from "./live-nodes.ts";
import { Ping } from "./ping.ts";

/** What a guarded store is made of. */
export interface GuardOptions {
  /** The one that nodes share. */
  readonly store: Store;
  /** Decides this node's share where the shared one does not answer. */
  readonly memory: Store;
  /** Names this node, unlike any other. */
  readonly id: string;
  /** How many nodes share the store, until it has said. */
  readonly expectedNodes: number;
  readonly telemetry: Telemetry | undefined;
  readonly clock: SteadyClock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/** The store that nodes share, with an answer for when it has none. */
export class GuardedStore implements AnsweringStore {
  readonly shared = true;
  readonly #store: Store;
  readonly #memory: Store;
  readonly #clock: Clock;
  readonly #telemetry: Telemetry | undefined;
  readonly #denials = new DenialCache();
  readonly #circuits: Circuits;
  readonly #nodes: LiveNodes;
  readonly #answers: FailureAnswers;
  #users = 0;
  readonly #context: CheckContext;
  readonly #timer: Timer;
  readonly #scheduler: Scheduler;
  /** The one that is under way, which others join. */
  #ping: Ping | undefined;

  constructor(options: GuardOptions) {
    const { store, memory, clock, telemetry, timer, random } = options;
    this.#store = store;
    this.#memory = memory;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#timer = timer;
    this.#scheduler = options.scheduler;
    this.#circuits = new Circuits(options);
    this.#nodes = new LiveNodes({
      store,
      id: options.id,
      expected: options.expectedNodes,
      clock: { now: clock.steady.bind(clock) },
      timer,
      random,
      isAway: () => this.#circuits.away !== undefined,
    });
    this.#answers = new FailureAnswers(memory, clock, () => this.#nodes.count);
    this.#context = { answers: this.#answers, denials: this.#denials, clock, telemetry };
  }

  /** Prepares for the failures of a policy's store before there are any. */
  use(policy: Policy): void {
    this.#store.use?.(policy);
    if (policy.onStoreFailure === "local" || policy.maxOvershoot > 0) this.#nodes.start();
  }

  decide(
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
  ): Decision | Promise<Decision> {
    const circuit = this.#circuits.of(policy, key);
    const { breaker } = circuit;
    const away = breaker.state !== "closed";
    // A look says what a check would: where both are answered from here, from the same.
    if ((consume || away) && cost > 0 && !this.#denials.isEmpty) {
      const denial = this.#denials.find(policy, key, cost, this.#clock.now(), away);
      if (denial !== undefined) return denial;
    }
    if (away) return this.#answers.decide(policy, key, cost, consume, breaker.untilProbeMs);
    const flight = circuit.flight();
    const check = new Check(this.#context, flight, breaker, policy, key, cost, consume);
    return flight.ask(check, () => {
      const isAsked = this.#store.decideTo?.(policy, key, cost, consume, check) === true;
      if (!isAsked) void answerLater(check, this.#store.decide(policy, key, cost, consume));
    });
  }

  run(work: Work): Outcome | Promise<Outcome> {
    if (work.kind === "lease") {
      return new Promise((resolve, reject) => this.borrow(work, { resolve, reject }));
    }
    return work.kind === "take" ? this.#take(work) : this.#follow(work);
  }

  get certainNodes(): CertainNodes | undefined {
    return this.#nodes.certain;
  }

  isAway(policy: Policy, key: string): boolean {
    return this.#circuits.of(policy, key).breaker.state !== "closed";
  }

  answer(policy: Policy, key: string, cost: number): Decision {
    const { breaker } = this.#circuits.of(policy, key);
    return this.#answers.decide(policy, key, cost, true, breaker.untilProbeMs);
  }

  borrow(work: LeaseWork, answerTo: AnswerTo<Outcome>): void {
    const circuit = this.#circuits.of(work.part.policy, work.part.key);
    if (circuit.breaker.state !== "closed") {
      answerTo.reject(circuit.awayError());
      return;
    }
    const call = new Borrowing(work, this.#returnLate);
    call.begin(circuit.flight(), answerTo);
    const isAsked = this.#store.borrowTo?.(work, call) === true;
    if (!isAsked) void answerLater(call, this.#store.run(work));
  }

  /** Gives back what was granted when nobody waited for it any more, and what was charged and will be once more. */
  readonly #returnLate = (
    { part, ask: asked }: LeaseWork,
    { lease, receipts, at }: Outcome,
  ): void => {
    const [receipt] = receipts;
    if (lease !== undefined && receipt !== undefined) {
      const backs = [{ units: lease.units, takenAt: at, receipt }];
      this.#undo({ kind: "lease", part, ask: { ...asked, want: 0, owed: 0, backs } });
    }
    if (asked.owed > 0) {
      const own = { ...part, cost: asked.owed };
      this.#undo({ kind: "give", part: own, takenAt: Number.POSITIVE_INFINITY });
    }
  };

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    return this.#store.split(parts);
  }

  async reset(policy: Policy, key: string): Promise<void> {
    await this.#change(policy, key, async () => this.#store.reset(policy, key));
    // Not before: where the store could not, the caller is told so, and nothing is forgotten.
    this.#answers.reset(policy, key);
  }

  /** Asks the store, within a second; but not one that is known to be away, whose circuits find out by themselves. */
  async ping(): Promise<void> {
    const away = this.#circuits.away;
    if (away !== undefined) throw away.awayError();
    this.#ping ??= this.#startPing();
    await this.#ping.answer;
  }

  #startPing(): Ping {
    const ping = new Ping(async () => this.#store.ping(), this.#timer, this.#scheduler);
    const forget = () => {
      if (this.#ping === ping) this.#ping = undefined;
    };
    ping.answer.then(forget, forget);
    return ping;
  }

  attach(telemetry: Telemetry | undefined): void {
    this.#users += 1;
    this.#store.attach(telemetry);
    this.#memory.attach(telemetry);
  }

  async detach(telemetry: Telemetry | undefined): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) {
      this.#nodes.stop();
      this.#circuits.stop();
      this.#denials.clear();
      this.#ping?.end(new TidegateError("STORE_UNAVAILABLE", "the store gave no answer yet"));
    }
    this.#memory.detach(telemetry);
    await this.#store.detach(telemetry);
  }

  #take(work: Take): Outcome | Promise<Outcome> {
    const [first] = work.parts as [Part];
    const deadlines = work.parts.map(({ policy }) => policy.deadlineMs);
    const circuit = this.#circuits.of(first.policy, first.key, Math.min(...deadlines));
    const { breaker } = circuit;
    const away = breaker.state !== "closed";
    const denial = this.#denialOf(work, away);
    if (denial !== undefined) return denial;
    const instead = () => this.#answers.take(work, breaker.untilProbeMs);
    if (away) return instead();
    // What was denied before holds as it does where the store is known to be away.
    const orKnown = () => this.#denialOf(work, true) ?? instead();
    const answer = this.#store.run(work);
    if (!("then" in answer)) return answer;
    const flight = circuit.flight();
    return flight.wait(answer, {
      instead: orKnown,
      arrived: ({ decision }) => {
        if (!decision.allowed && !mayBeOld(work)) this.#note(work, decision, flight.askedAt);
      },
      late: ({ decision, done }) => {
        const taken = done && work.parts.some(({ cost }) => cost > 0);
        if (!taken) return;
        this.#telemetry?.answeredLate?.(decision);
        this.#releaseLate(work);
      },
    });
  }

  /** Gives a permit back that nobody was told of: it was answered by the policy, and held there or nowhere. */
  #releaseLate({ parts, permit, freshPermit }: Take): void {
    // Under an id of the caller's it may have been acquired again meanwhile.
    if (permit === undefined || freshPermit !== true) return;
    for (const part of parts) {
      this.#undo({ kind: "release", part: { ...part, cost: 0 }, permit });
    }
  }

  /** Takes back what nobody was told of. Where that fails too it comes back by time, or when its lease ends. */
  #undo(work: Work): void {
    Promise.resolve(this.#store.run(work)).catch(() => undefined);
  }

  /** Remembers the part that was denied. */
  #note({ parts }: Take, decision: Decision, askedAt: number): void {
    const part = parts.find(({ policy, key }) => {
      return policy.name === decision.policy && key === decision.key;
    });
    if (part !== undefined) {
      this.#denials.add(part.policy, part.key, part.cost, decision, askedAt);
    }
  }

  /** Finds a part that is known to be denied, unless the work may have been answered otherwise under its id. */
  #denialOf(work: Take, away: boolean): Outcome | undefined {
    if (this.#denials.isEmpty || mayBeOld(work)) return undefined;
    const now = this.#clock.now();
    const denials: Decision[] = [];
    for (const { policy, key, cost } of work.parts) {
      if (cost === 0) continue;
      const denial = this.#denials.find(policy, key, cost, now, away);
      if (denial !== undefined) denials.push(denial);
      // It is what binds, and not known: the store says so.
      else if (isNever(policy, cost)) return undefined;
    }
    if (denials.length === 0) return undefined;
    const receipts = work.parts.map(() => undefined);
    return { decision: combineDecisions(denials), done: false, receipts, at: now };
  }

  #follow(work: Follow): Outcome | Promise<Outcome> {
    const { policy, key } = work.part;
    const own = this.#answers.follow(work);
    if (own !== undefined) return own;
    return this.#change(policy, key, async () => this.#store.run(work));
  }

  /** Asks for a change of a key, which no policy can answer in place of the store. */
  async #change<T>(policy: Policy, key: string, call: () => Promise<T>): Promise<T> {
    const circuit = this.#circuits.of(policy, key);
    if (circuit.breaker.state !== "closed") throw circuit.awayError();
    try {
      return await circuit.flight().wait<T>(call(), { instead: throwUnavailable });
    } finally {
      // Also where it failed: it may be done yet.
      this.#denials.drop(policy, key, this.#clock.now());
    }
  }
}

/** Work on what was taken before. */
type Follow = Exclude<Work, { kind: "take" | "lease" }>;

/** What the checks of a guarded store need of it. */
interface CheckContext {
  readonly answers: FailureAnswers;
  readonly denials: DenialCache;
  readonly clock: Clock;
  readonly telemetry: Telemetry | undefined;
}

/** One check of the store. */
class Check extends Call<Decision> {
  readonly #context: CheckContext;
  readonly #flight: Flight;
  readonly #breaker: CircuitBreaker;
  readonly #policy: Policy;
  readonly #key: string;
  readonly #cost: number;
  readonly #consume: boolean;

  constructor(
    context: CheckContext,
    flight: Flight,
    breaker: CircuitBreaker,
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
  ) {
    super();
    this.#context = context;
    this.#flight = flight;
    this.#breaker = breaker;
    this.#policy = policy;
    this.#key = key;
    this.#cost = cost;
    this.#consume = consume;
  }

  protected override instead(): Decision {
    const { answers, denials, clock } = this.#context;
    // What was denied before holds as it does where the store is known to be away.
    const denial =
      this.#cost > 0 && !denials.isEmpty
        ? denials.find(this.#policy, this.#key, this.#cost, clock.now(), true)
        : undefined;
    if (denial !== undefined) return denial;
    const { untilProbeMs } = this.#breaker;
    return answers.decide(this.#policy, this.#key, this.#cost, this.#consume, untilProbeMs);
  }

  protected override arrived(decision: Decision): void {
    if (!this.#consume || decision.allowed) return;
    const { askedAt } = this.#flight;
    this.#context.denials.add(this.#policy, this.#key, this.#cost, decision, askedAt);
  }

  protected override late(decision: Decision): void {
    // A shadow that goes beyond its limits takes nothing.
    const taken = this.#consume && decision.allowed && !decision.shadow && this.#cost > 0;
    if (taken) this.#context.telemetry?.answeredLate?.(decision);
  }
}

/** One question about a lease. */
class Borrowing extends Call<Outcome> {
  readonly #work: LeaseWork;
  readonly #returnLate: (work: LeaseWork, outcome: Outcome) => void;

  constructor(work: LeaseWork, returnLate: (work: LeaseWork, outcome: Outcome) => void) {
    super();
    this.#work = work;
    this.#returnLate = returnLate;
  }

  protected override instead(error: Error): Outcome {
    return throwUnavailable(error);
  }

  protected override late(outcome: Outcome): void {
    this.#returnLate(this.#work, outcome);
  }
}

async function answerLater<T>(call: Call<T>, answer: T | Promise<T>): Promise<void> {
  try {
    call.resolve(await answer);
  } catch (error) {
    call.reject(error);
  }
}

/** Whether work may be told an answer again that was given to its id before. */
function mayBeOld({ record }: Take): boolean {
  return record !== undefined && record.fresh !== true;
}

function throwUnavailable(error: Error): never {
  if (isUnavailable(error)) throw error;
  const message = `the store gave ${error.message}; it may yet do it`;
  throw new TidegateError("STORE_UNAVAILABLE", message, { cause: error });
}
