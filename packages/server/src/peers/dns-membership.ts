// The nodes that a name of DNS has addresses of, asked again and again. An answer stands until there is a better one.

import { lookup } from "node:dns/promises";
import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Membership } from "./membership.ts";
import { formatPeerAddress, type PeerAddress } from "./peer-address.ts";

/** How often the name is asked for. */
export const RESOLVE_EVERY_MS = 5_000;
/** How long a start waits for the first answer. */
const FIRST_ANSWER_MS = 2_000;

/** What a membership by DNS is made of. */
export interface DnsMembershipOptions {
  /** The name, and the port of all nodes. */
  readonly name: PeerAddress;
  readonly timers: Pick<Timers, "after" | "every">;
  readonly logger: Logger;
  /** Returns all addresses of a name; the system's resolver, with its search domains, where left out. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Starts to ask; resolves with the first answer, or without one after two seconds. */
export async function watchDns(options: DnsMembershipOptions): Promise<Membership> {
  const { name, timers, logger, resolve = resolveBySystem } = options;
  let members: readonly string[] = [];
  let away = false;
  let asking = false;
  let closed = false;
  const ask = async () => {
    // A resolver may take longer than the time between two questions.
    if (asking) return;
    asking = true;
    const answer = await resolve(name.host).catch((error: unknown) => error as Error);
    asking = false;
    if (closed) return;
    const found = answer instanceof Error ? [] : answer;
    if (found.length > 0) {
      const addresses = found.map((host) => formatPeerAddress({ host, port: name.port }));
      members = [...new Set(addresses)].sort();
    }
    if (away === (found.length === 0)) return;
    away = !away;
    const fields = { name: name.host, nodes: members.length };
    const reason = answer instanceof Error ? answer.message : "it has no addresses";
    if (away) logger.warn({ ...fields, reason }, "the peers' name cannot be resolved: as before");
    else logger.info(fields, "the peers' name is resolved again");
  };
  const stop = timers.every(RESOLVE_EVERY_MS, () => void ask());
  await new Promise<void>((done) => {
    const cancel = timers.after(FIRST_ANSWER_MS, done);
    ask().then(() => {
      cancel();
      done();
    });
  });
  return {
    members: () => members,
    close() {
      closed = true;
      stop();
    },
  };
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  const addresses = await lookup(host, { all: true });
  return addresses.map(({ address }) => address);
}
