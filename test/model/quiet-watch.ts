// Watches that a node keeps quiet: after a grant that fell short it does not ask for that key again before the policy's
// syncInterval has passed.

import type { Store } from "tidegate";
import type { VirtualTime } from "tidegate/simulation";

/** What it needs. */
export interface QuietWatchOptions {
  readonly time: VirtualTime;
  readonly quietUs: number;
  readonly broken: (what: string) => void;
}

/** Returns a node's store, watched. */
export function withQuietWatch(store: Store, { time, quietUs, broken }: QuietWatchOptions): Store {
  /** By key, when was asked what fell short. */
  const short = new Map<string, number>();
  return {
    ...store,
    async run(work) {
      if (work.kind !== "lease" || work.ask.want === 0) return store.run(work);
      const { key } = work.part;
      const askedAt = time.nowUs;
      const ageUs = askedAt - (short.get(key) ?? Number.NEGATIVE_INFINITY);
      if (ageUs < quietUs) broken(`${key} was asked about ${ageUs} us after a grant fell short`);
      const outcome = await store.run(work);
      if (outcome.lease!.units < work.ask.want) short.set(key, askedAt);
      else short.delete(key);
      return outcome;
    },
  };
}
