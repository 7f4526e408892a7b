// What `tidegate check` asks, by its options: one kind of question at a time, each with the options that mean something
// to it.

/** What to ask, and whom. Of the kinds of questions at most one is given; without one it is a check. */
export interface CheckOptions {
  readonly policy?: string;
  readonly key?: string;
  readonly cost?: number;
  readonly id?: string;
  readonly url: string;
  readonly json?: boolean;
  /** Take nothing. */
  readonly peek?: boolean;
  readonly reserve?: boolean;
  readonly ttl?: string;
  /** The id of the reservation, and below of the permit. */
  readonly settle?: string;
  readonly actual?: number;
  readonly refund?: boolean;
  readonly acquire?: boolean;
  readonly release?: string;
  readonly extend?: string;
  /** Each "POLICY=KEY". */
  readonly every?: readonly string[];
}

/** The kinds of questions, in the order of the help. */
export type Kind = "check" | (typeof KINDS)[number];

/** A question as the service takes it; the query is that of a GET. */
export interface Question {
  readonly kind: Kind;
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The options that choose another question than a check; each excludes the others. */
export const KINDS = [
  "peek",
  "reserve",
  "settle",
  "refund",
  "acquire",
  "release",
  "extend",
  "every",
] as const;

const EXTRAS = ["cost", "id", "ttl", "actual"] as const;
const TAKEN: Readonly<Record<Kind, readonly (typeof EXTRAS)[number][]>> = {
  check: ["cost", "id"],
  peek: ["cost"],
  reserve: ["cost", "id", "ttl"],
  settle: ["actual"],
  refund: ["cost", "id"],
  acquire: ["cost", "id"],
  release: [],
  extend: [],
  every: ["cost", "id"],
};

/** Returns the question, or what is wrong with the options. */
export function questionOf(options: CheckOptions): Question | { readonly wrong: string } {
  const kind = KINDS.find((name) => options[name] !== undefined) ?? "check";
  const wrong = wrongIn(kind, options);
  if (wrong !== undefined) return { wrong };
  const { policy, key, cost, id } = options;
  if (kind === "every") {
    const requests = options.every!.map((part) => requestOf(part, cost));
    return { kind, path: "/v1/check-every", fields: defined({ requests, id }) };
  }
  // An empty policy is not named, so that the default policy can be asked.
  const named = { ...(policy === "" ? {} : { policy }), key };
  const held = options.settle ?? options.release ?? options.extend;
  const { ttl, actual } = options;
  return {
    kind,
    path: kind === "peek" ? "/v1/status" : `/v1/${kind}`,
    fields: defined({ ...named, cost, id: held ?? id, ttl, actual }),
  };
}

function wrongIn(kind: Kind, options: CheckOptions): string | undefined {
  for (const extra of EXTRAS) {
    if (options[extra] === undefined || TAKEN[kind].includes(extra)) continue;
    const [only, ...others] = Object.keys(TAKEN).filter((name) => {
      return TAKEN[name as Kind].includes(extra);
    });
    return others.length === 0
      ? `--${extra} needs --${only}`
      : `--${extra} cannot be used with --${kind}`;
  }
  if (kind === "settle" && options.actual === undefined) {
    return "--settle needs --actual, the units that were really used";
  }
  if (kind !== "every") {
    const missing = options.policy === undefined ? "policy" : "key";
    return options.key === undefined ? `missing required argument '${missing}'` : undefined;
  }
  if (options.policy !== undefined) {
    return "--every has policies and keys of its own: leave POLICY and KEY out";
  }
  const part = options.every!.find((text) => !/^[^=]*=./s.test(text));
  return part === undefined
    ? undefined
    : `--every must be POLICY=KEY, such as api=user:42, got ${JSON.stringify(part)}`;
}

/** Policies have no "=" in their names; keys may. */
function requestOf(part: string, cost: number | undefined): object {
  const at = part.indexOf("=");
  const policy = part.slice(0, at) || undefined;
  return defined({ policy, key: part.slice(at + 1), cost });
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
