/** The most requests in one batch, over gRPC and HTTP alike: it is decided in one go, while others wait. */
export const MAX_BATCH = 1_000;

/** The most requests that are decided as one. */
export const MAX_EVERY = 64;
