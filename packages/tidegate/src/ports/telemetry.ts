import type { Decision } from "../decision.ts";

/** Is told what happens. Every method is optional, is called synchronously, and must not throw. */
export interface Telemetry {
  /** A check was decided; peeks are not told. */
  decided?(decision: Decision): void;
  /** The store was called: "evalsha", "eval" or "ping". */
  storeCalled?(operation: string, status: "ok" | "error"): void;
  /** The memory store forgot a key that was not being limited, to stay within `maxKeys`. */
  evicted?(policy: string): void;
  /** All sampled keys were being limited, so a new key was counted in the bucket that such keys share. */
  overflowed?(policy: string): void;
}
