// `tidegate check POLICY KEY`: asks a running service over HTTP and says what it answered, to people and to scripts.

import { redactText } from "../config/redact.ts";
import { sayBody } from "./check-answer.ts";
import { type CheckOptions, type Question, questionOf } from "./check-question.ts";
import { type Context, EXIT } from "./context.ts";
import { createPaint } from "./paint.ts";
import { sayDuration } from "./words.ts";

const DEADLINE_MS = 10_000;

/**
 * Asks, and returns 0 where it was allowed or done, 1 where it was denied or not held any more, and 2 where there is no
 * answer.
 * @param misused is told what is wrong with the options, and does not return.
 */
export async function check(
  options: CheckOptions,
  context: Context,
  misused: (message: string) => never,
): Promise<number> {
  const { stdout, stderr, environment } = context;
  const fail = (message: string) => {
    stderr.write(`tidegate: ${message}\n`);
    return EXIT.unusable;
  };
  const question = questionOf(options);
  if ("wrong" in question) return misused(question.wrong);
  const base = readUrl(options.url);
  if (base === undefined) {
    const got = redactText(options.url);
    const right = "an address without user or password, such as http://127.0.0.1:8080";
    return fail(`--url must be ${right}, got "${got}"`);
  }
  let response: Response;
  let text: string;
  try {
    response = await send(base, question);
    text = await response.text();
  } catch (error) {
    return fail(describeFailure(base, error));
  }
  const body = parse(text);
  const said = response.ok ? sayBody(question, body, createPaint(stdout, environment)) : undefined;
  if (said === undefined) return fail(describeRefusal(base, response, body));
  stdout.write(`${options.json ? text : said.text}\n`);
  return said.code;
}

function readUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const http = url?.protocol === "http:" || url?.protocol === "https:";
  return http && url.username === "" && url.password === ""
    ? url.href.replace(/\/+$/, "")
    : undefined;
}

function send(base: string, { kind, path, fields }: Question): Promise<Response> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  if (kind === "peek") {
    const pairs = Object.entries(fields).map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
    );
    return fetch(`${base}${path}?${pairs.join("&")}`, { signal });
  }
  const headers = { "content-type": "application/json" };
  return fetch(`${base}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(fields),
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
