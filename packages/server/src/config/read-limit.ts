// Reads one limit of a policy, or the two of a burst. Every number and name is checked by the library's own factories,
// one at a time, so that all that is wrong is found, and what is right here is right there.

import {
  burst,
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  type TidegateError,
  tokenBucket,
} from "tidegate";
import {
  type Checked,
  checkDuration,
  checkFlag,
  checkOption,
  checkWord,
  listOf,
  messageOf,
} from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

/** What a limit looks like. */
export const LIMIT_EXAMPLE = "{ algorithm: token-bucket, capacity: 100, refill: 10/s }";

type Check = (value: unknown) => Checked<unknown>;

interface Setting {
  readonly check: Check;
  /** What to write where it is missing; undefined where it may be. */
  readonly missing: string | undefined;
}

interface Algorithm {
  readonly settings: Readonly<Record<string, Setting>>;
  /** Makes the limit of values that have been checked one by one. */
  readonly create: (values: Readonly<Record<string, unknown>>) => Limit | readonly Limit[];
}

// Values of any type are handed to the factories, whose work it is to refuse the wrong ones.
const checkUnits: Check = (value) => {
  return checkOption("limit", () => fixedWindow({ limit: value as number, window: "1s" }));
};
const checkRate: Check = (value) => {
  return checkOption("refill", () => tokenBucket({ capacity: 1, refill: value as string }));
};
const checkQueue: Check = (value) => {
  return checkOption("queue", () => leakyBucket({ rate: "1/s", queue: value as number }));
};
const checkTimeZone: Check = (value) => {
  return checkOption("timeZone", () => {
    return calendarWindow({ limit: 1, per: "day", timeZone: value as string });
  });
};
const checkLimitName: Check = (value) => {
  return checkOption("name", () => fixedWindow({ limit: 1, window: "1s", name: value as string }));
};

const needed = (missing: string, check: Check): Setting => ({ missing, check });
const optional = (check: Check): Setting => ({ missing: undefined, check });

const SOFT = { soft: optional(checkFlag) };
const WINDOW = {
  limit: needed("write how many units a window admits, such as limit: 1000", checkUnits),
  window: needed("write how long a window is, such as window: 1m", checkDuration),
  ...SOFT,
};

/** A row for each algorithm; a burst is two limits. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  "token-bucket": algorithm(tokenBucket, {
    capacity: needed("write how many units it holds, such as capacity: 100", checkUnits),
    refill: needed("write how fast units come back, such as refill: 10/s", checkRate),
    ...SOFT,
  }),
  "fixed-window": algorithm(fixedWindow, WINDOW),
  "sliding-window": algorithm(slidingWindow, WINDOW),
  "sliding-log": algorithm(slidingLog, WINDOW),
  "leaky-bucket": algorithm(leakyBucket, {
    rate: needed("write how fast requests may go, such as rate: 10/s", checkRate),
    queue: needed("write how many may wait, such as queue: 50", checkQueue),
  }),
  "calendar-window": algorithm(calendarWindow, {
    limit: WINDOW.limit,
    per: needed("write day, week or month", (value) => checkWord(["day", "week", "month"], value)),
    timeZone: optional(checkTimeZone),
    ...SOFT,
  }),
  concurrency: algorithm(concurrency, {
    limit: needed("write how many may be held at once, such as limit: 3", checkUnits),
    lease: needed("write how long each is held at most, such as lease: 30s", checkDuration),
  }),
  burst: algorithm(burst, {
    rate: needed("write the rate in the long run, such as rate: 100/s", checkRate),
    upTo: needed("write the rate of a burst, such as upTo: 150/s", checkRate),
    for: needed("write how long a burst may last, such as for: 5s", checkDuration),
  }),
};
const NAMES = Object.keys(ALGORITHMS);
const ALL_KEYS = [
  "algorithm",
  ...new Set(Object.values(ALGORITHMS).flatMap(({ settings }) => Object.keys(settings))),
];

function algorithm<Options>(
  create: (options: Options) => Limit | readonly Limit[],
  settings: Algorithm["settings"],
): Algorithm {
  return {
    settings: { ...settings, name: optional(checkLimitName) },
    create: (values) => create(values as Options),
  };
}

/** Reads a limit; what is wrong is reported, and undefined returned. */
export function readLimit(file: YamlFile, field: Field): readonly Limit[] | undefined {
  const fields = file.readMap(field, undefined, LIMIT_EXAMPLE);
  if (fields === undefined) return undefined;
  const found = readAlgorithm(file, field, fields);
  const { settings, create } = found ?? { settings: {}, create: undefined };
  const known = found === undefined ? ALL_KEYS : ["algorithm", ...Object.keys(settings)];
  const unknown = [...fields.values()].filter(({ name }) => !known.includes(name));
  for (const other of unknown) file.reportUnknown(other, known);
  const values = readSettings(file, field, fields, settings);
  if (create === undefined || values === undefined || unknown.length > 0) return undefined;
  try {
    return [create(values)].flat();
  } catch (error) {
    const wrong = fields.get((error as TidegateError).field ?? "") ?? field;
    file.report(file.valueNode(wrong), `${field.path}.${messageOf(error)}`);
    return undefined;
  }
}

function readAlgorithm(
  file: YamlFile,
  limit: Field,
  fields: ReadonlyMap<string, Field>,
): Algorithm | undefined {
  const field = fields.get("algorithm");
  if (field === undefined) {
    const message = `${limit.path}.algorithm is missing: write ${listOf(NAMES)}`;
    file.report(file.valueNode(limit), message);
    return undefined;
  }
  const name = file.readValue(field, (value) => checkWord(NAMES, value));
  return name === undefined ? undefined : ALGORITHMS[name];
}

function readSettings(
  file: YamlFile,
  limit: Field,
  fields: ReadonlyMap<string, Field>,
  settings: Algorithm["settings"],
): Record<string, unknown> | undefined {
  const values: Record<string, unknown> = {};
  let right = true;
  for (const [name, { check, missing }] of Object.entries(settings)) {
    const field = fields.get(name);
    if (field !== undefined && file.readValue(field, check) !== undefined) {
      values[name] = file.readScalar(field);
    } else if (field !== undefined) {
      right = false;
    } else if (missing !== undefined) {
      file.report(file.valueNode(limit), `${limit.path}.${name} is missing: ${missing}`);
      right = false;
    }
  }
  return right ? values : undefined;
}
