// How long a request may take to arrive, on every port that speaks HTTP, so that slow senders hold nothing for long.

/** Options of node:http's servers: a request has 30 s, and one that is late is found within 5 s more. */
export const ARRIVAL_TIMEOUTS = {
  headersTimeout: 30_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
} as const;
