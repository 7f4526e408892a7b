// Where the traps are laid: limiters in memory and on a real Redis, both on a clock that the test sets.

import { after, before, describe } from "node:test";
import {
  calendarWindow,
  createLimiter,
  fixedWindow,
  type Limit,
  type Limiter,
  leakyBucket,
  memoryStore,
  type PolicyOptions,
  type Store,
  slidingLog,
  slidingWindow,
  TidegateError,
  tokenBucket,
} from "tidegate";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import {
  createManualClock,
  type ManualClock,
} from "../../packages/tidegate/test/support/manual-clock.ts";
import { openManualRedis, setRedisClock } from "../support/manual-redis.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

/** A store, and its time. */
export interface World {
  open(policies: Readonly<Record<string, PolicyOptions>>): Limiter;
  /** A limiter whose calls of the store are done, and fail since the answers are lost, while `isLost` says so. */
  openLossy(policies: Readonly<Record<string, PolicyOptions>>, isLost: () => boolean): Limiter;
  /** Moves the clock, also backwards. */
  pass(milliseconds: number): Promise<void>;
}

/** Runs tests in every world. */
export function inEveryWorld(name: string, tests: (world: World) => void): void {
  describe(`${name}, in memory`, () => {
    const clock = createManualClock();
    const stores = () => memoryStore({ clock });
    tests(worldOf(clock, stores, async () => {}));
  });
  describe(`${name}, in Redis`, { skip: withoutRedis }, () => {
    const clock = createManualClock();
    let server: RedisServer;
    let opened = 0;
    before(async () => {
      server = await startRedis();
      await setRedisClock(server, clock.now());
    });
    after(() => server.stop());
    const stores = () => {
      opened += 1;
      return openManualRedis(server, clock, `world${opened}`);
    };
    tests(worldOf(clock, stores, async () => void (await setRedisClock(server, clock.now()))));
  });
}

function worldOf(clock: ManualClock, createStore: () => Store, moved: () => Promise<void>): World {
  const timer = { after: () => () => {} };
  const open = (store: Store, policies: Readonly<Record<string, PolicyOptions>>) => {
    return createLimiter({ store, clock, timer, policies });
  };
  return {
    open: (policies) => open(createStore(), policies),
    openLossy: (policies, isLost) => {
      return open(bareStore(loseAnswers(createStore(), isLost)), policies);
    },
    async pass(milliseconds) {
      clock.advanceMs(milliseconds);
      await moved();
    },
  };
}

/** A store that does what it is asked, and whose answers are lost on the way. */
function loseAnswers(store: Store, isLost: () => boolean): Store {
  const lossy = async <T>(answer: T | Promise<T>): Promise<T> => {
    const lost = isLost();
    const value = await answer;
    if (lost) throw new TidegateError("STORE_UNAVAILABLE", "Redis gave no answer: lost on the way");
    return value;
  };
  return {
    shared: store.shared,
    decide: (...args) => lossy(store.decide(...args)),
    run: (work) => lossy(store.run(work)),
    split: (parts) => store.split(parts),
    reset: (...args) => store.reset(...args),
    ping: () => store.ping(),
    attach: (telemetry) => store.attach(telemetry),
    detach: (telemetry) => store.detach(telemetry),
  };
}

/** A limit of each algorithm that is checked, and the longest time after which it is as if never used. */
export const ALGORITHMS: readonly {
  readonly name: string;
  readonly limitOf: (limit: number) => Limit;
  readonly overMs: number;
}[] = [
  {
    name: "token-bucket",
    limitOf: (limit) => tokenBucket({ capacity: limit, refill: `${limit}/m` }),
    overMs: 60_000,
  },
  {
    name: "fixed-window",
    limitOf: (limit) => fixedWindow({ limit, window: "1m" }),
    overMs: 60_000,
  },
  {
    name: "sliding-window",
    limitOf: (limit) => slidingWindow({ limit, window: "1m" }),
    overMs: 120_000,
  },
  { name: "sliding-log", limitOf: (limit) => slidingLog({ limit, window: "1m" }), overMs: 60_000 },
  {
    name: "leaky-bucket",
    limitOf: (limit) => leakyBucket({ rate: `${limit}/m`, queue: limit - 1 }),
    overMs: 60_000,
  },
  {
    name: "calendar-window",
    limitOf: (limit) => calendarWindow({ limit, per: "day" }),
    overMs: 86_400_000,
  },
];
