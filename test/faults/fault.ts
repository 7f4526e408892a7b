// What a fault is: how it is brought about and repaired on servers that run, and what it may do to decisions.

import type { Nodes } from "./nodes.ts";
import type { Connection } from "./orders.ts";

/** What nodes sent, as somebody between them and the server saw it. */
export interface Heard {
  /** NaN where nobody could accept them. */
  readonly connections: number;
  readonly probes: number;
  /** Script calls that decide. */
  readonly checks: number;
}

/** Servers that run, and how to make them fail. */
export interface Scene {
  readonly connection: Connection;
  /** Resolves when the fault is there. */
  begin(nodes: Nodes): Promise<void>;
  /** Resolves when what had failed can be used again. */
  end(nodes: Nodes): Promise<void>;
  /** What has come to the server so far, where that is known. */
  heard?(): Heard;
  /** Whether a key is on a part of the store that fails; left out, all are. */
  isAway?(policy: string, key: string): boolean;
  stop(): Promise<void>;
}

/** One kind of failure. */
export interface Fault {
  /** In kebab-case, for the command line. */
  readonly name: string;
  /** What it is, for the table. */
  readonly title: string;
  /**
   * What of the store is left: `away`, it decides nothing; `some`, it decides some, or some of the time; `all`, it
   * decides everything in time, as far as the machine is quick enough.
   */
  readonly leaves: "away" | "some" | "all";
  /** How often the counters start afresh; default 0. */
  readonly losses?: number;
  /** Whether it is there before the nodes are. */
  readonly fromTheStart?: true;
  /** How long it lasts; left out, as long as the others. */
  readonly lastsMs?: number;
  open(): Promise<Scene>;
}
