// The settings that a file or an environment may set, each with where it was set.

import type { CoordinationName } from "tidegate";
import type { LogLevel } from "../configuration.ts";
import type { PeersValues } from "./peers-settings.ts";
import type { Place, Problem } from "./problem.ts";

/** A value, and who set it: a place in the file, or an environment variable. */
export interface Setting<T> {
  readonly value: T;
  readonly place?: Place;
  readonly variable?: string;
}

/** Says which variable set a value, as its place says it of a file. */
export function from(setting: Setting<unknown> | undefined): string {
  return setting?.variable === undefined ? "" : ` (from ${setting.variable})`;
}

/** What was set of the gossip between services. */
export type PeersSettings = {
  readonly [Name in keyof PeersValues]?: Setting<PeersValues[Name]> | undefined;
};

/** What was set; the rest is left to whoever comes next. */
export interface Settings extends PeersSettings {
  readonly store?: Setting<string> | undefined;
  readonly coordination?: Setting<CoordinationName> | undefined;
  readonly defaultPolicy?: Setting<string> | undefined;
  readonly expectedNodes?: Setting<number> | undefined;
  readonly region?: Setting<string> | undefined;
  readonly host?: Setting<string> | undefined;
  readonly httpPort?: Setting<number> | undefined;
  readonly grpcPort?: Setting<number> | undefined;
  readonly adminPort?: Setting<number> | undefined;
  readonly logLevel?: Setting<LogLevel> | undefined;
  readonly drainTimeoutMs?: Setting<number> | undefined;
}

/** What somebody set, right and wrong. */
export interface ReadSettings extends Settings {
  /** Settings that were set to something wrong, and so are left out above. */
  readonly wrong: ReadonlySet<keyof Settings>;
  readonly problems: readonly Problem[];
}
