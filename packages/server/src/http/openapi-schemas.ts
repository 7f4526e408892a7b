// The schemas of the OpenAPI document: all that is sent and answered as JSON.

import { MAX_BATCH, MAX_EVERY } from "../max-batch.ts";
import { reference } from "./openapi-parts.ts";

type Properties = Readonly<Record<string, unknown>>;

function object(properties: Properties, optional: readonly string[] = [], description?: string) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  const schema = { type: "object", additionalProperties: false, required, properties };
  return description === undefined ? schema : { ...schema, description };
}

const list = (schema: string) => ({ type: "array", items: reference("schemas", schema) });

const whole = (description: string) => ({ type: "integer", minimum: 0, description });
const flag = (description: string) => ({ type: "boolean", description });

const named: Properties = {
  policy: reference("schemas", "PolicyName"),
  key: reference("schemas", "Key"),
};
const part: Properties = { ...named, cost: reference("schemas", "Cost") };
const check: Properties = { ...part, id: reference("schemas", "Id") };
const held: Properties = { ...named, id: reference("schemas", "Id") };

const peer = object(
  {
    address: { type: "string" },
    region: { type: "string" },
    state: { type: "string", enum: ["reachable", "away"] },
    since: { type: "string", description: "Since when it is so; ISO 8601, in UTC" },
    lagMs: {
      type: ["integer", "null"],
      minimum: 0,
      description: "Age of what is known of it; null where nothing is",
    },
    reason: {
      type: "string",
      description:
        "Of one that is away: why the last message to it did not arrive, where that is known",
    },
  },
  ["reason"],
);

const decision: Properties = {
  allowed: { type: "boolean" },
  policy: { type: "string" },
  key: reference("schemas", "Key"),
  limitName: {
    type: "string",
    description:
      "The limit that bound: the one to wait longest for, or where all admitted, with the least remaining",
  },
  limit: whole("That limit's capacity or count, in units"),
  remaining: whole("Units that could be taken right now, after this decision"),
  retryAfterMs: {
    type: ["integer", "null"],
    minimum: 0,
    description:
      "Milliseconds until the same request is admitted if nobody else takes anything: 0 where it was allowed, " +
      "null where no wait helps, because the cost is above the limit",
  },
  resetAfterMs: whole("Milliseconds until the limit is as if never used"),
  delayMs: whole(
    "Milliseconds that an admitted request is to wait before it goes: 0 but for leaky buckets",
  ),
  soft: flag("Whether it was admitted although it goes beyond a soft limit"),
  nearLimit: flag("Whether, after it, a limit is used to the policy's nearLimit or more"),
  shadow: flag(
    "Whether it was admitted only because the policy is a shadow: its limits denied it and were charged nothing",
  ),
  source: {
    type: "string",
    enum: ["local", "store", "cache", "lease", "fail-open", "fail-closed", "fallback"],
    description:
      "Who answered: this node's memory, the shared store, an earlier denial of the store that still holds (cache), " +
      "or this node's memory by what the store has leased to it (lease). Where the store did not answer in time, the " +
      "policy: admitted uncounted, denied, or decided by this node's share of the limits (fallback). More may come",
  },
};

const AS_A_LOOK = "A decision that says how the key stands now, as a look that costs nothing would";

/** All of them. */
export const schemas = {
  PolicyName: {
    type: "string",
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    description:
      "Left out, or of no policy that there is: the service's default policy, where it has one",
  },
  Key: { type: "string", minLength: 1, maxLength: 1_024 },
  Cost: { type: "integer", minimum: 0, maximum: 1_000_000_000, default: 1 },
  Id: {
    type: "string",
    minLength: 1,
    maxLength: 128,
    description:
      "Names the request, so that it may be repeated after a timeout and is charged once; or what it took",
  },
  CheckRequest: object(check, ["policy", "cost", "id"]),
  CheckAllRequest: object({ requests: { ...list("CheckRequest"), maxItems: MAX_BATCH } }),
  CheckAllResponse: object({ decisions: list("Decision") }),
  CheckEveryPart: object(part, ["policy", "cost"]),
  CheckEveryRequest: object(
    {
      requests: { ...list("CheckEveryPart"), minItems: 1, maxItems: MAX_EVERY },
      id: reference("schemas", "Id"),
    },
    ["id"],
  ),
  ReserveRequest: object(
    {
      ...check,
      ttl: {
        type: "string",
        default: "1m",
        description: "How long it may be settled; after that the estimate stays charged for good",
      },
    },
    ["policy", "cost", "id", "ttl"],
  ),
  SettleRequest: object(
    {
      ...held,
      actual: {
        type: "integer",
        minimum: 0,
        maximum: 1_000_000_000,
        description: "The units that were really used",
      },
    },
    ["policy"],
  ),
  HeldRequest: object(held, ["policy"]),
  Decision: object(
    decision,
    [],
    "All numbers come from one limit, read at one instant of one clock.",
  ),
  Reservation: object(
    {
      ...decision,
      id: reference("schemas", "Id"),
      cost: whole("The estimate that was taken"),
      ttlMs: whole("How long it may be settled, in milliseconds"),
    },
    ["id", "cost", "ttlMs"],
    "A decision; and where it is allowed, what /v1/settle wants",
  ),
  Settlement: object(
    {
      ...decision,
      settled: flag(
        "False where there is no such reservation, its time is over, or it took nothing: an estimate stays charged",
      ),
    },
    [],
    AS_A_LOOK,
  ),
  Permit: object(
    {
      ...decision,
      id: reference("schemas", "Id"),
      cost: whole("The permits that were taken"),
      leaseMs: whole(
        "How long it is held if it is neither released nor extended, in milliseconds: what is left where " +
          "it was held already under its id",
      ),
    },
    ["id", "cost", "leaseMs"],
    "A decision; and where it is allowed, what /v1/release and /v1/extend want",
  ),
  Released: object({ released: flag("False where it was not held any more") }),
  Extended: object({ extended: flag("False where it was not held any more") }),
  Alive: object({ alive: { const: true } }),
  Readiness: object(
    {
      ready: { type: "boolean" },
      store: {
        type: "string",
        enum: ["unknown", "reachable", "unavailable"],
        description: "unknown while starting; unavailable where policies answer for it",
      },
      draining: { type: "boolean" },
      circuits: {
        type: "array",
        description: "Whether the nodes of a shared store are asked",
        items: object({
          node: { type: "string", description: "Its address; empty where there is only one" },
          state: { type: "string", enum: ["closed", "half-open", "open"] },
          since: {
            type: "string",
            description:
              "When it was last closed and is no more, or the other way round; ISO 8601, in UTC",
          },
        }),
      },
      gossip: object(
        {
          joined: flag("Whether it knows what the others counted; it is not ready before"),
          address: { type: "string", description: "Where the others reach this node" },
          region: { type: "string" },
          reachable: whole("Nodes that this one hears of, itself included"),
          nodes: whole("Nodes that there should be"),
          lagMs: whole("Age of the oldest news of a node that it hears of"),
          peers: { type: "array", items: peer },
        },
        [],
        "Of a service whose policies gossip",
      ),
    },
    ["gossip"],
  ),
  Problem: object(
    {
      type: { type: "string", description: "A name for the kind of problem; not an address" },
      title: { type: "string" },
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: { type: "string", description: "What is wrong, and what would be right" },
      field: { type: "string", description: "The field that is wrong, e.g. requests[3].cost" },
    },
    ["field"],
    "Problem details, RFC 9457",
  ),
};
