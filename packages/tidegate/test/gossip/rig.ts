// Parts of a node by themselves: a store, a policy, a key and what others say of it, on a clock that the test moves.

import { CountedKey } from "../../src/gossip/counted-key.ts";
import { codeDemand } from "../../src/gossip/demand.ts";
import type { Origin, OriginRegister } from "../../src/gossip/origin.ts";
import { createSurroundings } from "../../src/gossip/surroundings.ts";
import type { Limit } from "../../src/index.ts";
import { createPolicy, type Policy, type PolicyOptions } from "../../src/policy/policy.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { countingStore } from "../../src/stores/memory.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { originOf, type RegisterFields, setFields } from "./messages.ts";

/** Steady time and wall time are so far apart. */
export const STEADY_AT_START = 1_000_000_000;

/** Creates the parts. */
export function createRig(limits: readonly Limit[], options: Omit<PolicyOptions, "limits"> = {}) {
  const clock = createManualClock();
  const began = clock.now();
  const random = createSeededRandom(1);
  const store = countingStore({ clock, random });
  const policy: Policy = createPolicy("api", { ...options, limits });
  const key = new CountedKey("api", "k");
  key.policy = policy;
  const surroundings = createSurroundings();
  surroundings.hasJoined = true;
  let others = 0;
  return {
    ...{ clock, random, store, policy, key, surroundings },
    wall: () => clock.now(),
    steady: () => clock.now() - began + STEADY_AT_START,
    /** Adds what another node says of the key. */
    other(demand: number, fields: RegisterFields = {}): OriginRegister {
      others += 1;
      const origin: Origin = originOf(`${others}`.padStart(16, "0"));
      origin.isAway = false;
      origin.isStale = false;
      const register = origin.create(1, key, 1, limits.length);
      setFields(register, { demand: codeDemand(demand), ...fields });
      register.touchedAt = clock.now() - began + STEADY_AT_START;
      key.registers.push(register);
      return register;
    },
    remaining: () => store.decide(policy, "k", 0, false).remaining,
  };
}
