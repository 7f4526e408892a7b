// Ends a connection of Tidegate's own that says nothing while it is being set up: one that was accepted and is never
// answered, or whose server loads its data and which ioredis would let rest for up to ten seconds.

import type { Timer } from "../../ports/timer.ts";

/** How long it may be silent. Half of what a recovery may take, since the next one begins only then. */
const SILENT_MS = 500;

/** What Tidegate uses of a connection of ioredis. */
export interface OwnLink {
  readonly stream?: {
    on(event: "data", listener: () => void): unknown;
    destroy(error: Error): unknown;
  };
  on(event: "connect" | "ready" | "close", listener: () => void): unknown;
}

/** Watches a connection, each time that it is made. */
export function watchSetUp(link: OwnLink, timer: Timer): void {
  let cancel = () => {};
  /** The stream that is being set up. */
  let current: OwnLink["stream"];
  const wait = () => {
    cancel();
    const stream = current;
    // Where this process was busy for that long, what has arrived meanwhile is read first.
    cancel = timer.after(SILENT_MS, () => {
      cancel = timer.after(0, () => {
        stream?.destroy(new Error(`silent for ${SILENT_MS} ms while it was set up`));
      });
    });
  };
  const end = () => {
    current = undefined;
    cancel();
  };
  link.on("connect", () => {
    const { stream } = link;
    current = stream;
    stream?.on("data", () => {
      if (current === stream) wait();
    });
    wait();
  });
  link.on("ready", end);
  link.on("close", end);
}
