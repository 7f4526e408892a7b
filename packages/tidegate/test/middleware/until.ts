// Waits for what a test's server does, without a clock: until something that is told of its changes is so.

/** Something that changes. */
export interface Changes {
  /** Tells that it has changed. */
  tell(): void;
  /** Resolves when `holds`, now or after a change. */
  until(holds: () => boolean): Promise<void>;
}

/** Watches changes. */
export function watchChanges(): Changes {
  const watchers = new Set<() => void>();
  return {
    tell() {
      for (const watcher of [...watchers]) watcher();
    },
    until(holds) {
      return new Promise((resolve) => {
        const watcher = () => {
          if (!holds()) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      });
    },
  };
}
