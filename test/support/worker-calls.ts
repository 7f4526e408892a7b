// What the processes of a fleet can be told to do, and how they are told.

import type { CheckRequest, Limiter, PermitResult } from "tidegate";

/** What a worker does: what its limiter does, and work that goes on until it is told to end. */
export interface WorkerCalls
  extends Pick<
    Limiter,
    | "check"
    | "checkEvery"
    | "peek"
    | "refund"
    | "reserve"
    | "settle"
    | "acquire"
    | "release"
    | "extend"
  > {
  /** Runs work under a permit until endWork is told its name, or the permit is lost. Answers when it is over. */
  beginWork(request: CheckRequest, name: string): Promise<PermitResult<"done" | "lost">>;
  /** Answers whether work of this name has begun and not ended. */
  isWorking(name: string): Promise<boolean>;
  endWork(name: string): Promise<void>;
}

export type Method = keyof WorkerCalls;

/** One call, from the parent to the worker. */
export interface Ask {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

/** Its answer, from the worker to the parent. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}
