// The least that could be called a limiter: GCRA on a Map of numbers. No bound, no expiry, one limit, no names.

/** Creates the check; `wholeUs` microseconds bring one unit back. */
export function bareGcra(capacity: number, wholeUs: number) {
  const tats = new Map<string, number>();
  const fullUs = capacity * wholeUs;
  const offsetMs = Date.now() - performance.now();
  return (key: string): { allowed: boolean; remaining: number; retryAfterMs: number } => {
    const now = Math.floor((offsetMs + performance.now()) * 1_000);
    const tat = Math.max(tats.get(key) ?? 0, now);
    const next = tat + wholeUs;
    const wait = next - now - fullUs;
    if (wait > 0) return { allowed: false, remaining: 0, retryAfterMs: Math.ceil(wait / 1_000) };
    tats.set(key, next);
    return { allowed: true, remaining: Math.floor(-wait / wholeUs), retryAfterMs: 0 };
  };
}
