// Has the library check a policy, so that what is right in a file is right where it is used.

import { createLimiter, fixedWindow, type PolicyOptions, TidegateError } from "tidegate";
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

/** Returns what the library refuses of a policy, which is the first of what is wrong; undefined where it is right. */
export function refusalOf(name: string, options: PolicyOptions): Refusal | undefined {
  try {
    createLimiter({ policies: { [name]: options } });
    return undefined;
  } catch (error) {
    const message = messageOf(error);
    return { message, field: (error instanceof TidegateError && error.field) || "" };
  }
}

/** Checks one option of a policy by itself. */
export function checkPolicyOption(option: keyof PolicyOptions, value: unknown): Checked<unknown> {
  const refusal = refusalOf("checked", { limits: SOME_LIMITS, [option]: value });
  if (refusal === undefined) return { value };
  return { wrong: refusal.message.replace(`policies.checked.${option} `, "") };
}
