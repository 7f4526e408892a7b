// Puts policies, coordination and store together into a Limiter, and checks every request on its way in.

import { createCentral } from "./coordination/central.ts";
import type { Coordination } from "./coordination/coordination.ts";
import { createLocal } from "./coordination/local.ts";
import type { Decision } from "./decision.ts";
import { TidegateError } from "./errors.ts";
import type { CheckRequest, Limiter, PolicyDescription } from "./limiter.ts";
import { checkOptions, optionError, unknownName } from "./policy/options.ts";
import {
  COORDINATIONS,
  type CoordinationName,
  createPolicy,
  type Policy,
  type PolicyOptions,
} from "./policy/policy.ts";
import {
  checkCost,
  checkKey,
  checkRequest,
  checkRequests,
  requestError,
} from "./policy/request.ts";
import type { Clock } from "./ports/clock.ts";
import type { Random } from "./ports/random.ts";
import type { Store } from "./ports/store.ts";
import type { Telemetry } from "./ports/telemetry.ts";
import { memoryStore } from "./stores/memory.ts";

/** What a limiter is made of. */
export interface LimiterOptions {
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  /** Left out: this process' memory. */
  readonly store?: Store;
  /** Left out: "central" where the store is shared, else "local". A policy may set its own. */
  readonly coordination?: CoordinationName;
  readonly telemetry?: Telemetry;
  /** Clock and randomness of the memory that the limiter makes for itself; a store has its own. */
  readonly clock?: Clock;
  readonly random?: Random;
}

interface Entry {
  readonly policy: Policy;
  readonly coordination: Coordination;
  readonly description: PolicyDescription;
}

/**
 * Creates a limiter.
 * @throws TidegateError INVALID_OPTION naming the option, the value and what would be right.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  checkOptions("createLimiter", options, [
    "policies",
    "store",
    "coordination",
    "telemetry",
    "clock",
    "random",
  ]);
  const { entries, coordinations } = createEntries(options);
  const telemetry = options.telemetry;
  const decided = telemetry?.decided === undefined ? undefined : telemetry.decided.bind(telemetry);
  let closing: Promise<void> | undefined;
  // Applications ask for one policy many times in a row; comparing a name is cheaper than hashing it.
  let lastName: string | undefined;
  let lastEntry: Entry | undefined;

  function entryOf(policy: string): Entry {
    if (closing !== undefined) throw closedError();
    if (lastEntry !== undefined && policy === lastName) return lastEntry;
    const entry = entries.get(policy);
    if (entry === undefined) throw unknownPolicy(policy, entries);
    lastName = policy;
    lastEntry = entry;
    return entry;
  }

  function decide(request: CheckRequest, consume: boolean): Decision | Promise<Decision> {
    checkRequest(request);
    const entry = entryOf(request.policy);
    const cost = request.cost ?? 1;
    checkKey(request.key);
    checkCost(cost);
    return entry.coordination.decide(entry.policy, request.key, cost, consume);
  }

  function told(decision: Decision): Decision {
    decided?.(decision);
    return decision;
  }

  return {
    check(request, callOptions) {
      try {
        callOptions?.signal?.throwIfAborted();
        const answer = decide(request, true);
        if (!isPromise(answer)) {
          if (decided !== undefined) decided(answer);
          return Promise.resolve(answer);
        }
        const decision = decided === undefined ? answer : answer.then(told);
        return untilAborted(decision, callOptions?.signal);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async checkAll(requests, callOptions) {
      callOptions?.signal?.throwIfAborted();
      checkRequests(requests, (request) => {
        checkRequest(request);
        entryOf(request.policy);
        checkKey(request.key);
        checkCost(request.cost ?? 1);
      });
      const answers = requests.map((request) => decide(request, true));
      if (areDecisions(answers)) {
        if (decided !== undefined) for (const decision of answers) decided(decision);
        return answers;
      }
      // Told one by one, so that those are told that were decided before another failed or the caller went away.
      const decisions = answers.map((answer) => Promise.resolve(answer).then(told));
      return untilAborted(Promise.all(decisions), callOptions?.signal);
    },
    async peek(request, callOptions) {
      callOptions?.signal?.throwIfAborted();
      return untilAborted(Promise.resolve(decide(request, false)), callOptions?.signal);
    },
    async reset(request) {
      checkRequest(request);
      const entry = entryOf(request.policy);
      checkKey(request.key);
      await entry.coordination.reset(entry.policy, request.key);
    },
    describe(policy) {
      const entry = entries.get(policy);
      if (entry === undefined) throw unknownPolicy(policy, entries);
      return entry.description;
    },
    async ping() {
      if (closing !== undefined) throw closedError();
      await Promise.all(coordinations.map((coordination) => coordination.ping()));
    },
    close() {
      closing ??= Promise.all(coordinations.map((coordination) => coordination.close())).then(
        () => undefined,
      );
      return closing;
    },
  };
}

function createEntries(options: LimiterOptions): {
  entries: Map<string, Entry>;
  coordinations: Coordination[];
} {
  const { policies, store } = options;
  const isRecord = typeof policies === "object" && policies !== null && !Array.isArray(policies);
  if (!isRecord || Object.keys(policies).length === 0) {
    throw optionError("policies", "an object with at least one policy", policies);
  }
  if (store !== undefined && typeof (store as Partial<Store>)?.acquire !== "function") {
    throw optionError("store", "a store made by memoryStore() or redisStore()", store);
  }
  if (options.telemetry !== undefined && typeof options.telemetry !== "object") {
    throw optionError("telemetry", "an object with decided()", options.telemetry);
  }
  if (store !== undefined && (options.clock !== undefined || options.random !== undefined)) {
    const given = options.clock === undefined ? "random" : "clock";
    throw new TidegateError(
      "INVALID_OPTION",
      `${given} must be given to the store where a store is passed, e.g. memoryStore({ ${given} })`,
      { field: given },
    );
  }
  const standard = checkCoordination("coordination", options.coordination) ?? defaultFor(store);
  const opened = new Map<CoordinationName, Coordination>();
  const open = (name: CoordinationName) => {
    let coordination = opened.get(name);
    if (coordination === undefined) {
      coordination = openCoordination(name, options);
      opened.set(name, coordination);
    }
    return coordination;
  };
  const checked = Object.entries(policies).map(([name, policyOptions]) => {
    const policy = createPolicy(name, policyOptions);
    const field = `policies.${name}.coordination`;
    return { policy, name: checkCoordination(field, policyOptions.coordination) ?? standard };
  });
  if (store?.shared === true && !checked.some(({ name }) => name === "central")) {
    throw new TidegateError(
      "INVALID_OPTION",
      'coordination must be "central" for the policies that use the store: every policy is "local", ' +
        "which decides in memory; leave the store out, or change the coordination",
      { field: "coordination" },
    );
  }
  const entries = new Map<string, Entry>();
  for (const { policy, name } of checked) {
    entries.set(policy.name, { policy, coordination: open(name), description: describe(policy) });
  }
  return { entries, coordinations: [...opened.values()] };
}

function openCoordination(name: CoordinationName, options: LimiterOptions): Coordination {
  const { store, telemetry, clock, random } = options;
  const createMemory = () =>
    memoryStore({
      ...(clock === undefined ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
    });
  if (name === "central") return createCentral(store ?? createMemory(), telemetry);
  return createLocal(store === undefined || store.shared ? createMemory() : store, telemetry);
}

function defaultFor(store: Store | undefined): CoordinationName {
  return store?.shared === true ? "central" : "local";
}

function checkCoordination(field: string, value: unknown): CoordinationName | undefined {
  if (value === undefined) return undefined;
  const known = COORDINATIONS.find((name) => name === value);
  if (known === undefined) {
    throw optionError(field, COORDINATIONS.map((name) => `"${name}"`).join(" or "), value);
  }
  return known;
}

function describe(policy: Policy): PolicyDescription {
  return Object.freeze({
    name: policy.name,
    limits: Object.freeze(
      policy.limits.map((limit, index) => {
        return Object.freeze({
          name: policy.limitNames[index]!,
          algorithm: limit.algorithm,
          limit: limit.limit,
          windowMs: Math.ceil(limit.windowUs / 1_000),
        });
      }),
    ),
  });
}

function areDecisions(answers: (Decision | Promise<Decision>)[]): answers is Decision[] {
  return !answers.some(isPromise);
}

/** As `instanceof Promise` for what a store answers; that takes a fifth of the time of a check in memory. */
function isPromise(answer: Decision | Promise<Decision>): answer is Promise<Decision> {
  return "then" in answer;
}

function unknownPolicy(name: unknown, entries: ReadonlyMap<string, Entry>): TidegateError {
  if (typeof name !== "string") return requestError("policy", "a policy's name", name);
  const message = unknownName("policy", name, "this limiter", [...entries.keys()]);
  return new TidegateError("UNKNOWN_POLICY", message, { field: "policy" });
}

function closedError(): TidegateError {
  return new TidegateError("LIMITER_CLOSED", "the limiter is closed");
}

/** Passes `work` on, or rejects with the signal's reason where that comes first. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
