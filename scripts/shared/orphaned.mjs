// Notices that npm is gone. npm passes a SIGTERM on to the shell between it and a script, and some shells die of it
// and tell nobody; without this, what npm was told to end would go on.

const EVERY_MS = 200;

/** Calls `act` once where the process that started this one ends first; only under npm. Keeps no process alive. */
export function whenOrphaned(act) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, EVERY_MS);
  watch.unref();
}
