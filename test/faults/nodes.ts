// The processes of the fault suite, seen from their parent.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answer, NodeReport, Order, Phase, Setup, Unhandled } from "./orders.ts";

const PROGRAM = fileURLToPath(new URL("./node.ts", import.meta.url));

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** One process. */
export interface Node {
  tell(order: Order): Promise<unknown>;
}

/** All of them. */
export class Nodes {
  readonly all: readonly NodeProcess[];
  /** Rejections that nobody handled, in any of them, and processes that ended by themselves. */
  readonly unhandled: string[] = [];

  constructor(count: number) {
    const tell = (what: string) => this.unhandled.push(what);
    this.all = Array.from({ length: count }, () => new NodeProcess(tell));
  }

  async tell(order: Order): Promise<unknown[]> {
    return Promise.all(this.all.map((node) => node.tell(order)));
  }

  async open(setup: Setup): Promise<void> {
    await this.tell({ do: "open", setup });
  }

  async phase(phase: Phase): Promise<void> {
    await this.tell({ do: "phase", phase });
  }

  async report(): Promise<NodeReport[]> {
    return (await this.tell({ do: "report" })) as NodeReport[];
  }

  async heapsUsed(): Promise<number[]> {
    return (await this.tell({ do: "heap" })) as number[];
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((node) => node.stop()));
  }
}

class NodeProcess implements Node {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #lastId = 0;
  #isStopped = false;

  constructor(unhandled: (what: string) => void) {
    const child = fork(PROGRAM, [], {
      execArgv: ["--conditions=@tidegate/source"],
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child = child;
    running.add(child);
    child.on("message", (message: Answer | Unhandled) => {
      if ("unhandled" in message) unhandled(message.unhandled);
      else this.#pending.get(message.id)?.(message);
    });
    this.#exited = once(child, "exit").then(([code, signal]) => {
      running.delete(child);
      if (!this.#isStopped) unhandled(`a node ended with ${code ?? signal}`);
      for (const [id, settle] of this.#pending) settle({ id, error: "the node ended" });
    });
  }

  tell(order: Order): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, ({ value, error }) => {
        this.#pending.delete(id);
        if (error === undefined) resolve(value);
        else reject(new Error(`${order.do}: ${error}`));
      });
      this.#child.send({ id, order }, (error) => {
        if (error !== null) this.#pending.get(id)?.({ id, error: error.message });
      });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
