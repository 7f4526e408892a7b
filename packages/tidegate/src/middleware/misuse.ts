// Notices the ways in which a middleware is set up wrongly and yet seems to work. Each is reported once per
// application with a sentence that says what to do. Nothing here changes a decision or stops a request.

import type { Limiter } from "../limiter.ts";
import { systemScheduler } from "../runtime/system-scheduler.ts";
import type { Warning } from "../runtime/warnings.ts";

/** Codes of the warnings, each with a section in docs/express.md. */
export type MisuseCode =
  | "TIDEGATE_COUNTED_TWICE"
  | "TIDEGATE_CREATED_PER_REQUEST"
  | "TIDEGATE_REFUND_WHEN"
  | "TIDEGATE_TRUST_PROXY_TRUE"
  | "TIDEGATE_FORWARDED_FOR_IGNORED";

/** What an application was told already, and what it is suspected of. */
interface Scope {
  readonly told: Set<string>;
  /** How many identical requests in a row brought a middleware of their own, by the request's fingerprint. */
  readonly births: Map<string, number>;
}

// By application where there is one, so that one process may hold several, and tests do not meet.
const scopes = new WeakMap<object, Scope>();
const nobody = {};

function scopeOf(application: object | undefined): Scope {
  const owner = application ?? nobody;
  let scope = scopes.get(owner);
  if (scope === undefined) {
    scope = { told: new Set(), births: new Map() };
    scopes.set(owner, scope);
  }
  return scope;
}

/** Reports a misuse unless this application has been told of it, for this `subject`, before. */
export function reportOnce(
  application: object | undefined,
  warn: (warning: Warning) => void,
  code: MisuseCode,
  message: string,
  subject = "",
): void {
  const { told } = scopeOf(application);
  const id = `${code} ${subject}`;
  if (told.has(id)) return;
  told.add(id);
  warn({ code, message });
}

interface Counted {
  readonly limiter: Limiter;
  readonly policy: string;
  readonly key: string;
}

const countedByRequest = new WeakMap<object, Counted[]>();

/** Notes that a request was counted, and tells whether the very same limiter, policy and key counted it before. */
export function countedBefore(
  request: object,
  limiter: Limiter,
  policy: string,
  key: string,
): boolean {
  const counted = countedByRequest.get(request);
  if (counted === undefined) {
    countedByRequest.set(request, [{ limiter, policy, key }]);
    return false;
  }
  const before = counted.some((other) => {
    return other.limiter === limiter && other.policy === policy && other.key === key;
  });
  if (!before) counted.push({ limiter, policy, key });
  return before;
}

const IDENTICAL_REQUESTS = 3;
const FINGERPRINTS_KEPT = 32;

/** Watches one middleware from its creation on; to be told of every request it is called for. */
export interface BirthWatch {
  /**
   * Tells whether middlewares are being created per request.
   * @param fingerprint everything of the request that an application could choose a middleware by, or undefined
   * where that is not known (a mocked request); asked for only where there is a suspicion.
   */
  called(
    application: object | undefined,
    request: object,
    fingerprint: () => string | undefined,
  ): boolean;
}

const requestsWithNewborn = new WeakSet<object>();

/**
 * Creates the watch over one middleware, to find those that are created per request.
 *
 * A middleware that is created at start is first called in a later turn of the event loop. One that is called in the
 * very turn it is created in is a *newborn*: created by a request handler. That alone proves nothing, since an
 * application may create it when it is first needed, once or once per tenant, and keep it. What no application that
 * keeps its middlewares does is to create another one for a request that is the same in every byte: method, URL,
 * headers and client. Three such requests in a row, each with a newborn, are the proof; a newborn that is called
 * again later was kept, and clears the suspicion. So the price is paid by suspects only, in bounded memory, and a
 * middleware that is created per request but called in a later turn goes unnoticed rather than a sound one accused.
 */
export function watchBirth(): BirthWatch {
  let state: "newborn" | "kept" | "settled" = "newborn";
  systemScheduler.afterTurn(() => {
    if (state === "newborn") state = "settled";
  });
  return {
    called(application, request, fingerprint) {
      if (state === "settled") return false;
      const { births } = scopeOf(application);
      const print = fingerprint();
      if (print === undefined) return false;
      if (state === "kept") {
        births.delete(print);
        return false;
      }
      state = "kept";
      // Several middlewares created for one request are one suspicion.
      if (requestsWithNewborn.has(request)) return false;
      requestsWithNewborn.add(request);
      const count = (births.get(print) ?? 0) + 1;
      births.delete(print);
      births.set(print, count);
      if (births.size > FINGERPRINTS_KEPT) {
        for (const oldest of births.keys()) {
          births.delete(oldest);
          break;
        }
      }
      return count >= IDENTICAL_REQUESTS;
    },
  };
}
