/** Resolves when all promises have settled that wait for nothing outside: no timer, no network. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
