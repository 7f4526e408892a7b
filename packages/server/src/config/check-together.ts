// Checks what only the file and the environment together show, and has the library check the whole, so that what is
// accepted here starts.

import { type CoordinationName, createLimiter, type PolicyOptions } from "tidegate";
import { checkPeers } from "./check-peers.ts";
import {
  createGossipStandIn,
  createSharedStandIn,
  OWNED_OPTIONS,
  refusalOf,
  SOME_LIMITS,
} from "./policy-refusal.ts";
import { createProblem, type Place, type Problem, show } from "./problem.ts";
import type { PlacedPolicy } from "./read-file.ts";
import { from, type Settings } from "./settings.ts";
import { didYouMean, messageOf } from "./values.ts";

const PORTS = [
  ["httpPort", "ports.http"],
  ["grpcPort", "ports.grpc"],
  ["adminPort", "ports.admin"],
  ["peersPort", "peers.port"],
] as const;

/** The most policies that a message lists. */
const MAX_NAMES = 12;

/** Everything that will be served, with defaults filled in where it matters here. */
export interface Together {
  readonly settings: Settings;
  /** 0 is any free one, or none. */
  readonly ports: Readonly<Record<"httpPort" | "grpcPort" | "adminPort" | "peersPort", number>>;
  readonly policies: ReadonlyMap<string, PlacedPolicy>;
  /** Of all policies that are written, those included that are wrong. */
  readonly policyNames: readonly string[];
  /** Settings of which only so much is known, that they are wrong. */
  readonly wrong: ReadonlySet<keyof Settings>;
  /** Whether nothing else is wrong: only then the policies above are all there are. */
  readonly complete: boolean;
}

/** Returns what clashes. */
export function checkTogether(together: Together): Problem[] {
  const problems = [
    ...checkPorts(together),
    ...checkCoordinations(together),
    ...checkOwned(together),
    ...checkPeers({ ...together, gossiping: findGossip(together.settings, together.policies) }),
    ...checkExpectedNodes(together),
    ...checkDefaultPolicy(together),
  ];
  return problems.length > 0 || !together.complete ? problems : checkWhole(together);
}

function checkPorts({ settings, ports, wrong }: Together): Problem[] {
  const problems: Problem[] = [];
  PORTS.forEach(([name, path], index) => {
    const port = ports[name];
    if (port === 0 || wrong.has(name)) return;
    const clash = PORTS.slice(0, index).find(([other]) => {
      return ports[other] === port && !wrong.has(other);
    });
    if (clash === undefined) return;
    const blamed = settings[name] ?? settings[clash[0]];
    problems.push(
      createProblem(
        `${path} must differ from ${clash[1]}, got ${port} for both${from(blamed)}`,
        blamed?.place,
      ),
    );
  });
  return problems;
}

function checkCoordinations({ settings, policies, wrong, complete }: Together): Problem[] {
  const { store } = settings;
  if (wrong.has("store")) return [];
  if (!isShared(settings)) return checkMemory(settings, policies);
  const own = [...policies.values()].map((policy) => coordinationOf(settings, policy));
  if (!complete || own.some((name) => name === "central" || name === "hybrid")) return [];
  const message =
    "store must be memory where every policy is coordinated by local or gossip, " +
    `got ${show(store!.value)}${from(store)}: no policy would be counted in it; ` +
    "set coordination to central or hybrid, or leave the store out";
  return [createProblem(message, store!.place)];
}

function isShared({ store }: Settings): boolean {
  return store !== undefined && store.value !== "memory";
}

/** Where the first policy that gossips says so; undefined where none does. */
export function findGossip(
  settings: Settings,
  policies: ReadonlyMap<string, PlacedPolicy>,
): { readonly place: Place | undefined } | undefined {
  const policy = [...policies.values()].find((one) => coordinationOf(settings, one) === "gossip");
  if (policy === undefined) return undefined;
  return { place: policy.places.get("coordination") ?? settings.coordination?.place };
}

function coordinationOf(settings: Settings, { options }: PlacedPolicy): CoordinationName {
  const standard = settings.coordination?.value ?? (isShared(settings) ? "central" : "local");
  return options.coordination ?? standard;
}

function checkMemory(settings: Settings, policies: ReadonlyMap<string, PlacedPolicy>): Problem[] {
  const { store, coordination } = settings;
  const refuse = (path: string, value: CoordinationName, by: string, place: Place | undefined) => {
    const message =
      `${path} must be local or gossip with the store in memory${from(store)}, got "${value}"${by}; ` +
      `${value} needs a store that nodes share, such as store: redis://127.0.0.1:6379`;
    problems.push(createProblem(message, place));
  };
  const problems: Problem[] = [];
  const isFree = (name: CoordinationName) => name === "local" || name === "gossip";
  if (coordination !== undefined && !isFree(coordination.value)) {
    refuse("coordination", coordination.value, from(coordination), coordination.place);
  }
  for (const [name, { options, places }] of policies) {
    const own = options.coordination ?? "local";
    if (isFree(own)) continue;
    refuse(`policies.${name}.coordination`, own, "", places.get("coordination"));
  }
  return problems;
}

/** What leases and gossip need, and what nothing but they takes. */
function checkOwned({ settings, policies, wrong }: Together): Problem[] {
  if (wrong.has("store") || wrong.has("coordination") || wrong.has("region")) return [];
  const store = isShared(settings) ? createSharedStandIn() : undefined;
  const region = settings.region?.value;
  const problems: Problem[] = [];
  for (const [name, policy] of policies) {
    const { options, places } = policy;
    const coordination = coordinationOf(settings, policy);
    const asks = coordination === "central" || coordination === "hybrid";
    // That memory is no store for it, is said already.
    if (coordination === "hybrid" && store === undefined) continue;
    const refuse = (key: keyof PolicyOptions, one: PolicyOptions) => {
      const refusal = refusalOf(name, one, { store: asks ? store : undefined, region });
      if (refusal !== undefined) problems.push(createProblem(refusal.message, places.get(key)));
    };
    for (const key of OWNED_OPTIONS) {
      // What only leases have is checked beside them where it is read.
      const isChecked = coordination === "hybrid" && key !== "regions" && key !== "partition";
      if (options[key] === undefined || isChecked) continue;
      refuse(key, { limits: SOME_LIMITS, coordination, [key]: options[key] });
    }
    if (coordination === "hybrid" || coordination === "gossip") {
      refuse("limits", { limits: options.limits, coordination });
    }
  }
  return problems;
}

/** Without a store that nodes share there is nothing to divide. */
function checkExpectedNodes({ settings, wrong }: Together): Problem[] {
  const { store, expectedNodes } = settings;
  const shared = store !== undefined && store.value !== "memory";
  if (expectedNodes === undefined || shared || wrong.has("store")) return [];
  const message =
    `expectedNodes must be left out with the store in memory${from(store)}, got ${expectedNodes.value}` +
    `${from(expectedNodes)}; nodes share their limits in a store such as store: redis://127.0.0.1:6379`;
  return [createProblem(message, expectedNodes.place)];
}

function checkDefaultPolicy({ settings, policyNames }: Together): Problem[] {
  const { defaultPolicy } = settings;
  // Where no policies could be read there is nothing to choose from.
  if (defaultPolicy === undefined || policyNames.length === 0) return [];
  const { value, place } = defaultPolicy;
  if (policyNames.includes(value)) return [];
  const meant = didYouMean(value, policyNames);
  const right =
    meant === "" && policyNames.length <= MAX_NAMES
      ? `; there are ${policyNames.join(", ")}`
      : meant;
  const message = `defaultPolicy must be the name of a policy, got ${show(value)}${from(defaultPolicy)}${right}`;
  return [createProblem(message, place)];
}

function checkWhole({ settings, policies }: Together): Problem[] {
  const options: [string, PolicyOptions][] = [...policies].map(([name, policy]) => {
    return [name, policy.options];
  });
  const gossips = findGossip(settings, policies) !== undefined;
  try {
    createLimiter({
      policies: Object.fromEntries(options),
      ...(isShared(settings) ? { store: createSharedStandIn() } : {}),
      ...(gossips ? createGossipStandIn() : {}),
      ...(settings.region === undefined ? {} : { region: settings.region.value }),
      ...(settings.coordination === undefined ? {} : { coordination: settings.coordination.value }),
      ...(settings.defaultPolicy === undefined
        ? {}
        : { defaultPolicy: settings.defaultPolicy.value }),
      ...(settings.expectedNodes === undefined
        ? {}
        : { expectedNodes: settings.expectedNodes.value }),
    });
    return [];
  } catch (error) {
    return [createProblem(messageOf(error))];
  }
}
