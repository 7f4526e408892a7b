// Has the library check a policy, so that what is right in a file is right where it is used.

import {
  createLimiter,
  fixedWindow,
  type LimiterOptions,
  memoryStore,
  type PolicyOptions,
  type Store,
  TidegateError,
} from "tidegate";
import { type Checked, messageOf } from "./values.ts";

/** What the library refuses. */
export interface Refusal {
  /** The whole sentence. */
  readonly message: string;
  /** The path of what is at fault, such as "policies.api.overrides[3].key"; empty where it is the policy's name. */
  readonly field: string;
}

/** Limits that are right, for checks of something else. */
export const SOME_LIMITS = [fixedWindow({ limit: 1, window: "1s" })];

/** What a policy is checked beside. */
export interface Beside {
  /** Left out: memory. */
  readonly store?: Store | undefined;
  /** This node's. */
  readonly region?: string | undefined;
}

/** Returns what the library refuses of a policy, which is the first of what is wrong; undefined where it is right. */
export function refusalOf(
  name: string,
  options: PolicyOptions,
  { store, region }: Beside = {},
): Refusal | undefined {
  try {
    createLimiter({
      policies: { [name]: options },
      ...(store === undefined ? {} : { store }),
      ...(region === undefined ? {} : { region }),
      ...(options.coordination === "gossip" ? createGossipStandIn() : {}),
    });
    return undefined;
  } catch (error) {
    const message = messageOf(error);
    return { message, field: (error instanceof TidegateError && error.field) || "" };
  }
}

const LEASE_OPTIONS = ["syncInterval", "leaseFraction", "maxOvershoot"] as const;

/** The options of a policy that not all coordinations have. */
export const OWNED_OPTIONS = [...LEASE_OPTIONS, "partition", "regions"] as const;

/** Checks one option of a policy by itself. */
export function checkPolicyOption(option: keyof PolicyOptions, value: unknown): Checked<unknown> {
  return checkedOption(
    option,
    value,
    refusalOf("checked", { limits: SOME_LIMITS, [option]: value }),
  );
}

/** The same of an option that only leases have. */
export function checkLeaseOption(
  option: (typeof LEASE_OPTIONS)[number],
  value: unknown,
): Checked<unknown> {
  const options = { limits: SOME_LIMITS, coordination: "hybrid", [option]: value } as const;
  const refusal = refusalOf("checked", options, { store: createSharedStandIn() });
  return checkedOption(option, value, refusal);
}

function checkedOption(
  option: keyof PolicyOptions,
  value: unknown,
  refusal: Refusal | undefined,
): Checked<unknown> {
  if (refusal === undefined) return { value };
  return { wrong: refusal.message.replace(`policies.checked.${option} `, "") };
}

/** Creates a store that says it is shared, connects to nothing, and is never asked. */
export function createSharedStandIn(): Store {
  const memory = memoryStore();
  return {
    shared: true,
    decide: memory.decide.bind(memory),
    run: memory.run.bind(memory),
    split: memory.split.bind(memory),
    reset: memory.reset.bind(memory),
    ping: () => {},
    attach: () => {},
    detach: () => {},
  };
}

/** Creates options of a limiter that gossips with nobody, and never begins to. */
export function createGossipStandIn(): Pick<LimiterOptions, "gossip" | "timer"> {
  const transport = {
    address: "checked",
    open: () => undefined,
    send: () => undefined,
    members: () => [],
    close: () => undefined,
  };
  return { gossip: { transport }, timer: { after: () => () => undefined } };
}
