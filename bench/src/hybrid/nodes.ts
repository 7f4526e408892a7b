// The parent's side of the nodes: starts a process for each, has all of them ask at once, and ends them.

import { type ChildProcess, fork } from "node:child_process";
import {
  type Message,
  monotonicMs,
  type NodeOptions,
  type NodeReport,
  type Order,
} from "./orders.ts";

const NODE_FILE = new URL("./node.ts", import.meta.url);
/** Until the schedules are drawn, and all nodes wait for the start. */
const LEAD_MS = 500;

/** Processes that are nodes. */
export interface Nodes {
  /** Has every node ask at once, from a common instant on; each has its share of the rate, and a seed of its own. */
  run(order: Omit<Order, "startMs">): Promise<readonly NodeReport[]>;
  /** Closes their limiters, and ends the processes. */
  close(): Promise<void>;
  /** Ends the processes at once. */
  kill(): Promise<void>;
}

/** Starts `count` nodes, and waits until they are ready. */
export async function startNodes(count: number, options: NodeOptions): Promise<Nodes> {
  const children = Array.from({ length: count }, () => {
    return fork(NODE_FILE, [JSON.stringify(options)], {
      execArgv: ["--conditions=@tidegate/source"],
      serialization: "advanced",
    });
  });
  const kill = async () => {
    await Promise.all(children.map(end));
  };
  try {
    await Promise.all(children.map((child) => answerOf(child, "ready")));
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    async run({ perSecond, seed, ...order }) {
      const startMs = monotonicMs() + LEAD_MS;
      const reports = children.map(async (child, place) => {
        const answer = answerOf(child, "report");
        const own = { seed: seed * children.length + place, perSecond: perSecond / count };
        child.send({ ...order, ...own, startMs });
        return (await answer).report;
      });
      return Promise.all(reports);
    },
    async close() {
      await Promise.all(
        children.map((child) => {
          const answer = answerOf(child, "closed");
          child.send("close");
          return answer;
        }),
      );
      await kill();
    },
    kill,
  };
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return exited;
}

function answerOf<K extends Message["kind"]>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<Message, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Message) => {
      done();
      if (message.kind === kind) resolve(message as Extract<Message, { kind: K }>);
      else reject(new Error(message.kind === "failed" ? message.message : `got ${message.kind}`));
    };
    const onExit = (code: number | null, signal: string | null) => {
      done();
      reject(new Error(`a node ended with ${code ?? signal}`));
    };
    const done = () => {
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}
