// Which nodes there should be: what a list, a name or a registry says.

/** Knows the addresses of the nodes of a cluster, "host:port" each, this one's among them or not. */
export interface Membership {
  members(): readonly string[];
  /** Stops to look. */
  close(): void | Promise<void>;
}

/** Those of a list. */
export function listMembership(addresses: readonly string[]): Membership {
  return { members: () => addresses, close: () => undefined };
}
