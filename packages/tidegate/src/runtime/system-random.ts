import type { Random } from "../ports/random.ts";

/** The platform's random numbers; good for sampling and jitter, not for secrets. */
export const systemRandom: Random = { next: () => Math.random() };
