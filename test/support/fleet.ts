// A fleet of worker processes, each a limiter with a connection of its own to one Redis: asked over IPC, killed by
// process id in the middle of what they do, and replaced.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answer, Ask, Method, WorkerCalls } from "./worker-calls.ts";

const WORKER = fileURLToPath(new URL("../races/worker.ts", import.meta.url));
/** Where Node keeps what it has compiled, so that a worker is there in half the time. */
const COMPILED = fileURLToPath(new URL("../../node_modules/.cache/races", import.meta.url));

/** How many processes race. */
export const FLEET_SIZE = 8;

/** What a call rejects with that was sent and not answered: it may have been carried out, or not. */
export class Unanswered extends Error {}

/** The processes, by place: 0 to FLEET_SIZE - 1. */
export interface Fleet {
  /** How many calls its workers have been asked for. */
  readonly asked: number;
  /**
   * Has the worker at a place do something.
   * @throws Unanswered where it is killed meanwhile, or Redis answers it nothing.
   */
  call<M extends Method>(
    place: number,
    method: M,
    ...args: Parameters<WorkerCalls[M]>
  ): Promise<Awaited<ReturnType<WorkerCalls[M]>>>;
  /**
   * Kills the worker at a place (SIGKILL) and puts another there. Answers how many of its calls stay unanswered.
   * @param amidUs microseconds after it has been sent the next calls, so that it is killed amid them; left out, now.
   */
  kill(place: number, amidUs?: number): Promise<number>;
  /** Resolves when there is a worker at every place that can be asked. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Has a call done that may be repeated, elsewhere, until some worker has an answer to it. */
export async function insist<T>(place: number, call: (place: number) => Promise<T>): Promise<T> {
  for (let tried = 0; ; tried += 1) {
    try {
      return await call((place + tried) % FLEET_SIZE);
    } catch (error) {
      if (!(error instanceof Unanswered) || tried === 2 * FLEET_SIZE) throw error;
    }
  }
}

/** Starts the fleet on the Redis at a URL. */
export async function startFleet(url: string): Promise<Fleet> {
  const workers = Array.from({ length: FLEET_SIZE }, () => startWorker(url));
  let asked = 0;
  const fleet: Fleet = {
    get asked() {
      return asked;
    },
    async call(place, method, ...args) {
      asked += 1;
      const worker = workers[place]!;
      await worker.ready;
      return worker.call(method, args) as Promise<never>;
    },
    async kill(place, amidUs) {
      const killed = workers[place]!;
      await killed.kill(amidUs);
      workers[place] = startWorker(url);
      return killed.gone;
    },
    async ready() {
      await Promise.all(workers.map(({ ready }) => ready));
    },
    async stop() {
      await Promise.all(
        workers.map((worker) => {
          worker.kill();
          return worker.gone;
        }),
      );
    },
  };
  try {
    await fleet.ready();
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  return fleet;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function startWorker(url: string): Worker {
  const execArgv = ["--conditions=@tidegate/source"];
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED };
  const child = fork(WORKER, [url], { execArgv, env, stdio: ["ignore", 2, 2, "ipc"] });
  running.add(child);
  return new Worker(child);
}

/** One process, and what it has been asked. */
class Worker {
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, with how many calls it leaves unanswered. */
  readonly gone: Promise<number>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #asks: Ask[] = [];
  #lastId = 0;
  #isGone = false;
  #sent = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    // What it has said before it ended is read to the end: that is answered.
    this.gone = Promise.all([once(child, "exit"), once(child, "disconnect")]).then(() => {
      running.delete(child);
      this.#isGone = true;
      for (const { reject } of this.#pending.values()) reject(killedError());
      return this.#pending.size;
    });
    this.ready = Promise.race([
      once(child, "message").then(() => {}),
      this.gone.then(() => Promise.reject(new Error("the worker ended before it was ready"))),
    ]);
    // Who waits for it is told; where nobody does, a worker that was killed at once is no failure.
    this.ready.catch(() => {});
    child.on("message", (answers: Answer[]) => {
      for (const answer of answers) this.#settle(answer);
    });
  }

  call(method: Method, args: readonly unknown[]): Promise<unknown> {
    if (this.#isGone) return Promise.reject(killedError());
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#pending.set(this.#lastId, { resolve, reject });
      if (this.#asks.push({ id: this.#lastId, method, args }) > 1) return;
      setImmediate(() => {
        // Where it cannot be sent the worker is ending, and will have answered nothing.
        this.#child.send(this.#asks, () => {});
        this.#asks = [];
        this.#sent();
      });
    });
  }

  /** Resolves when the signal is sent. See Fleet.kill. */
  kill(amidUs?: number): Promise<void> {
    return new Promise((resolve) => {
      const kill = () => {
        this.#child.kill("SIGKILL");
        resolve();
      };
      if (amidUs === undefined) kill();
      else this.#sent = () => spin(amidUs, kill);
    });
  }

  #settle({ id, value, error }: Answer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(value);
    else if (error.code === "STORE_UNAVAILABLE") pending?.reject(new Unanswered(error.message));
    else pending?.reject(new Error(error.message));
  }
}

/** Calls after some microseconds, without a turn of the event loop, in which a worker could be done. */
function spin(us: number, call: () => void): void {
  const endMs = performance.now() + us / 1_000;
  while (performance.now() < endMs);
  call();
}

function killedError(): Unanswered {
  return new Unanswered("the worker was killed");
}
