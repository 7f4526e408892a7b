// `tidegate check POLICY KEY`: asks a running service over HTTP and says what it answered, to people and to scripts.

import { redactText } from "../config/redact.ts";
import { type Context, EXIT } from "./context.ts";
import { createPaint, type Paint } from "./paint.ts";
import { sayDuration, sayNumber } from "./words.ts";

/** What to ask, and whom. */
export interface CheckOptions {
  readonly policy: string;
  readonly key: string;
  readonly cost?: number;
  readonly url: string;
  /** Take nothing. */
  readonly peek?: boolean;
  readonly json?: boolean;
}

/** A decision as the service writes it. */
interface Answer {
  readonly allowed: boolean;
  readonly policy: string;
  readonly limitName: string;
  readonly limit: number;
  readonly remaining: number;
  readonly retryAfterMs: number | null;
  readonly resetAfterMs: number;
}

const DEADLINE_MS = 10_000;

/** Asks, and returns 0 where it was allowed, 1 where it was denied, and 2 where there is no answer. */
export async function check(options: CheckOptions, context: Context): Promise<number> {
  const { stdout, stderr, environment } = context;
  const fail = (message: string) => {
    stderr.write(`tidegate: ${message}\n`);
    return EXIT.unusable;
  };
  const base = readUrl(options.url);
  if (base === undefined) {
    const got = redactText(options.url);
    const right = "an address without user or password, such as http://127.0.0.1:8080";
    return fail(`--url must be ${right}, got "${got}"`);
  }
  let response: Response;
  let text: string;
  try {
    response = await send(base, options);
    text = await response.text();
  } catch (error) {
    return fail(describeFailure(base, error));
  }
  const body = parse(text);
  if (!response.ok || !isAnswer(body)) return fail(describeRefusal(base, response, body));
  stdout.write(
    options.json ? `${text}\n` : `${sayAnswer(body, options, createPaint(stdout, environment))}\n`,
  );
  return body.allowed ? EXIT.ok : EXIT.failed;
}

function readUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const http = url?.protocol === "http:" || url?.protocol === "https:";
  return http && url.username === "" && url.password === ""
    ? url.href.replace(/\/+$/, "")
    : undefined;
}

function send(base: string, { policy, key, cost, peek }: CheckOptions): Promise<Response> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const asked = { policy, key, ...(cost === undefined ? {} : { cost }) };
  if (peek) {
    const query = new URLSearchParams({ policy, key });
    if (cost !== undefined) query.set("cost", String(cost));
    return fetch(`${base}/v1/status?${query}`, { signal });
  }
  const headers = { "content-type": "application/json" };
  return fetch(`${base}/v1/check`, {
    method: "POST",
    headers,
    body: JSON.stringify(asked),
    signal,
  });
}

function describeFailure(base: string, error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === "TimeoutError") return `${base} gave no answer within ${sayDuration(DEADLINE_MS)}`;
  if (cause?.message === "bad port") {
    const why = "its port is one that web clients refuse (fetch.spec.whatwg.org, port blocking)";
    return `${base} cannot be asked: ${why}.\nLet the service listen on another port.`;
  }
  const detail = cause?.code?.startsWith("ERR_SSL_") ? cause.code : (cause?.message ?? message);
  const reason = cause?.code === "ECONNREFUSED" ? "" : ` (${detail})`;
  return (
    `nothing answers at ${base}${reason}.\n` +
    "Start the service with `tidegate serve`, or say where it is with --url."
  );
}

function describeRefusal(base: string, response: Response, body: unknown): string {
  const problem = body as { title?: unknown; detail?: unknown } | undefined;
  if (typeof problem?.detail === "string") return problem.detail;
  return `${base} answered ${response.status} and not as Tidegate does: is it another service's address?`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isAnswer(body: unknown): body is Answer {
  if (typeof body !== "object" || body === null) return false;
  const { allowed, limit, remaining, resetAfterMs } = body as Record<string, unknown>;
  return typeof allowed === "boolean" && [limit, remaining, resetAfterMs].every(Number.isFinite);
}

function sayAnswer(answer: Answer, { cost = 1, peek }: CheckOptions, paint: Paint): string {
  const limit = sayNumber(answer.limit);
  const of =
    answer.limitName === answer.policy ? answer.policy : `${answer.policy}, ${answer.limitName}`;
  const would = peek ? "would be " : "";
  if (answer.allowed) {
    const left = `${sayNumber(answer.remaining)} of ${limit} remaining`;
    const full =
      answer.resetAfterMs > 0 ? `, all of it in ${sayDuration(answer.resetAfterMs)}` : "";
    return `${paint("green", `${would}allowed`)}, ${left}${full} (${of})`;
  }
  const denied = paint("red", `${would}denied`);
  if (answer.retryAfterMs === null) {
    return `${denied} however long it waits: ${sayNumber(cost)} is above the limit of ${limit} (${of})`;
  }
  const left = `${of}: ${sayNumber(answer.remaining)} of ${limit} remaining`;
  return `${denied}, retry in ${sayDuration(answer.retryAfterMs)} (${left})`;
}
