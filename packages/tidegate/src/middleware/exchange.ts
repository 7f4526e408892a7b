// One HTTP request and its response, as far as a limiter is concerned: when they are over, and whether anybody is left
// to answer. Works on Node's own objects, which every framework is built on.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** One request and its response. */
export interface Exchange {
  /** Whether the connection closed before the response was sent: nobody is left to answer. */
  abandoned(): boolean;
  /**
   * Calls `work` once: when the response has been sent or the connection has closed, whichever is first, and at once
   * where that is so already. Returns what takes it back.
   */
  onceOver(work: () => void): () => void;
}

/** Watches a request and its response. */
export function watchExchange(req: IncomingMessage, res: ServerResponse): Exchange {
  const { socket } = req;
  const isOver = () => res.closed || socket?.destroyed === true;
  return {
    abandoned: () => isOver() && !res.writableFinished,
    onceOver(work) {
      if (isOver()) {
        work();
        return () => {};
      }
      const forget = () => {
        res.off("close", over);
        forgetSocket();
      };
      const over = () => {
        forget();
        work();
      };
      res.once("close", over);
      const forgetSocket = onSocketClose(socket, over);
      return forget;
    },
  };
}

const workBySocket = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `work` when a connection closes. Before Node 24 a response that waits behind another one of its connection, as
 * pipelined requests do, is not told; and however many wait, they share one listener.
 */
function onSocketClose(socket: Socket | undefined, work: () => void): () => void {
  if (socket === undefined) return () => {};
  let works = workBySocket.get(socket);
  if (works === undefined) {
    const all = new Set<() => void>();
    socket.once("close", () => {
      for (const one of [...all]) one();
    });
    workBySocket.set(socket, all);
    works = all;
  }
  const all = works.add(work);
  return () => all.delete(work);
}
