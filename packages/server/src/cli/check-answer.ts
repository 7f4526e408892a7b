// What the service answered to `tidegate check`: whether it is an answer at all, how the command ends, and a sentence.

import type { Question } from "./check-question.ts";
import { EXIT } from "./context.ts";
import type { Paint } from "./paint.ts";
import { sayDuration, sayNumber } from "./words.ts";

/** An answer as the service writes it; the flags and what is held are not in every one. */
export interface Answer {
  readonly allowed: boolean;
  readonly policy: string;
  readonly key: string;
  readonly limitName: string;
  readonly limit: number;
  readonly remaining: number;
  readonly retryAfterMs: number | null;
  readonly resetAfterMs: number;
  readonly delayMs?: number;
  readonly soft?: boolean;
  readonly nearLimit?: boolean;
  readonly shadow?: boolean;
  readonly source?: string;
  readonly id?: string;
  readonly cost?: number;
  readonly ttlMs?: number;
  readonly leaseMs?: number;
  readonly settled?: boolean;
}

/** What the command writes and ends with. */
export interface Said {
  readonly text: string;
  readonly code: number;
}

/** Says a body that is the answer to the question; undefined where it is none. */
export function sayBody(question: Question, body: unknown, paint: Paint): Said | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { kind } = question;
  if (kind === "release" || kind === "extend") {
    const word = `${kind}${kind === "release" ? "d" : "ed"}`;
    const done = (body as Record<string, unknown>)[word];
    if (typeof done !== "boolean") return undefined;
    const id = String(question.fields.id);
    return done
      ? { text: `${paint("green", word)} ${id}`, code: EXIT.ok }
      : {
          text: `${paint("red", `not ${word}`)}: ${id} is not held any more`,
          code: EXIT.failed,
        };
  }
  if (!isDecision(body)) return undefined;
  if (kind !== "settle") return sayDecision(question, body, paint);
  if (typeof body.settled !== "boolean") return undefined;
  if (body.settled) return { text: sayAllowed("settled", body, kind, paint), code: EXIT.ok };
  const why = "there is no such reservation, or its time is over: what it took stays taken";
  return { text: `${paint("red", "not settled")}, ${why}`, code: EXIT.failed };
}

function isDecision(body: object): body is Answer {
  const { allowed, limit, remaining, resetAfterMs } = body as Record<string, unknown>;
  return typeof allowed === "boolean" && [limit, remaining, resetAfterMs].every(Number.isFinite);
}

function sayDecision({ kind, fields }: Question, answer: Answer, paint: Paint): Said {
  const would = kind === "peek" ? "would be " : "";
  if (answer.allowed) {
    const verb = kind === "refund" ? "refunded" : `${would}${sayTaken(answer)}`;
    return { text: sayAllowed(verb, answer, kind, paint), code: EXIT.ok };
  }
  const denied = paint("red", `${would}denied`);
  const { cost = 1 } = fields as { cost?: number };
  return { text: sayDenied(denied, answer, cost, kind), code: EXIT.failed };
}

function sayTaken({ id, cost = 1, ttlMs, leaseMs }: Answer): string {
  if (id === undefined) return "allowed";
  const units = sayNumber(cost);
  return leaseMs === undefined
    ? `reserved ${units} as ${id}, to be settled within ${sayDuration(ttlMs ?? 0)}`
    : `acquired ${units} as ${id}, held for ${sayDuration(leaseMs)}`;
}

function sayAllowed(verb: string, answer: Answer, kind: Question["kind"], paint: Paint): string {
  const { delayMs = 0, soft, nearLimit, shadow, resetAfterMs } = answer;
  if (answer.source === "fail-open") {
    const why = paint("yellow", "uncounted, as the store does not answer");
    return `${paint("green", verb)}, ${why} (${sayWhose(answer, kind)})`;
  }
  const parts = [
    `${paint("green", verb)}${delayMs > 0 ? ` after a wait of ${sayDuration(delayMs)}` : ""}`,
    ...(soft ? [paint("yellow", "beyond a soft limit")] : []),
    ...(shadow ? [paint("yellow", "only because the policy is a shadow")] : []),
    ...(answer.source === "fallback" ? [paint("yellow", FALLBACK)] : []),
    ...(answer.source === "lease" ? [LEASE] : []),
    ...(isUnlimited(answer) ? ["without a limit"] : [sayLeft(answer)]),
    ...(nearLimit && !shadow ? [paint("yellow", "near the limit")] : []),
    ...(resetAfterMs > 0 ? [`all of it in ${sayDuration(resetAfterMs)}`] : []),
  ];
  return `${parts.join(", ")} (${sayWhose(answer, kind)})`;
}

function sayDenied(denied: string, answer: Answer, cost: number, kind: Question["kind"]): string {
  const { retryAfterMs, resetAfterMs, limit } = answer;
  const of = sayWhose(answer, kind);
  if (isBlocked(answer)) {
    const endMs = retryAfterMs ?? resetAfterMs;
    const end = endMs === 0 ? "" : ` for ${sayDuration(endMs)}`;
    const above = `, and ${sayNumber(cost)} is above its limits then`;
    return `${denied}, the key is blocked${end}${retryAfterMs === null && endMs > 0 ? above : ""} (${of})`;
  }
  if (retryAfterMs === null) {
    const above = `${sayNumber(cost)} is above the limit of ${sayNumber(limit)}`;
    return `${denied} however long it waits: ${above} (${of})`;
  }
  const retry = `retry in ${sayDuration(retryAfterMs)}`;
  if (answer.source === "fail-closed") {
    return `${denied}, as the store does not answer, ${retry} (${of})`;
  }
  const by = answer.source === "fallback" ? FALLBACK : answer.source === "lease" ? LEASE : "";
  return `${denied}, ${by === "" ? "" : `${by}, `}${retry} (${of}: ${sayLeft(answer)})`;
}

const LEASE = "by this node's lease";
const FALLBACK = "by this node's share, as the store does not answer";

function sayLeft({ remaining, limit }: Answer): string {
  return `${sayNumber(remaining)} of ${sayNumber(limit)} remaining`;
}

/** Says policy and limit; of several requests, which of them it was. */
function sayWhose(answer: Answer, kind: Question["kind"]): string {
  const { policy, key, limitName } = answer;
  const own = limitName === policy || isBlocked(answer) || isUnlimited(answer);
  const whose = kind === "every" ? `${policy} for ${key}` : policy;
  return own ? whose : `${whose}, ${limitName}`;
}

/** No limit admits nothing, so that one of 0 is an override's block. */
function isBlocked({ limit, limitName }: Answer): boolean {
  return limit === 0 && limitName === "blocked";
}

function isUnlimited({ limit, remaining, limitName }: Answer): boolean {
  return limitName === "unlimited" && limit === 1_000_000_000 && remaining === limit;
}
