// Reads one limit of a policy. Every number and name is checked by the library's own factories, one at a time, so that
// all that is wrong is found, and what is right here is right there.

import { fixedWindow, type Limit, type TidegateError, tokenBucket } from "tidegate";
import { type Checked, checkDuration, checkOption, checkWord, messageOf } from "./values.ts";
import type { Field, YamlFile } from "./yaml-file.ts";

/** What a limit looks like. */
export const LIMIT_EXAMPLE = "{ algorithm: token-bucket, capacity: 100, refill: 10/s }";

interface Setting {
  /** What to write where it is missing. */
  readonly missing: string;
  check(value: unknown): Checked<unknown>;
}

interface Algorithm {
  readonly settings: Readonly<Record<string, Setting>>;
  /** Makes the limit of values that have been checked one by one. */
  create(values: Readonly<Record<string, unknown>>): Limit;
}

// The casts hand values of any type to the factories, whose work it is to refuse the wrong ones.
const TOKEN_BUCKET: Algorithm = {
  settings: {
    capacity: {
      missing: "write how many units it holds, such as capacity: 100",
      check: (value) =>
        checkOption("capacity", () => tokenBucket({ capacity: value as number, refill: "1/s" })),
    },
    refill: {
      missing: "write how fast units come back, such as refill: 10/s",
      check: (value) =>
        checkOption("refill", () => tokenBucket({ capacity: 1, refill: value as string })),
    },
  },
  create: (values) => tokenBucket(values as unknown as Parameters<typeof tokenBucket>[0]),
};

const FIXED_WINDOW: Algorithm = {
  settings: {
    limit: {
      missing: "write how many units a window admits, such as limit: 1000",
      check: (value) =>
        checkOption("limit", () => fixedWindow({ limit: value as number, window: "1s" })),
    },
    window: {
      missing: "write how long a window is, such as window: 1m",
      check: checkDuration,
    },
  },
  create: (values) => fixedWindow(values as unknown as Parameters<typeof fixedWindow>[0]),
};

const NAMES = ["token-bucket", "fixed-window"] as const;
const ALGORITHMS = { "token-bucket": TOKEN_BUCKET, "fixed-window": FIXED_WINDOW } as const;
const ALL_KEYS = ["algorithm", "capacity", "refill", "limit", "window", "name"];

/** Reads a limit; what is wrong is reported, and undefined returned. */
export function readLimit(file: YamlFile, field: Field): Limit | undefined {
  const fields = file.readMap(field, undefined, LIMIT_EXAMPLE);
  if (fields === undefined) return undefined;
  const algorithm = readAlgorithm(file, field, fields);
  const { settings, create } = algorithm ?? { settings: {}, create: undefined };
  const known =
    algorithm === undefined ? ALL_KEYS : ["algorithm", ...Object.keys(settings), "name"];
  const unknown = [...fields.values()].filter(({ name }) => !known.includes(name));
  for (const other of unknown) file.reportUnknown(other, known);
  const values = readSettings(file, field, fields, settings);
  if (create === undefined || values === undefined || unknown.length > 0) return undefined;
  try {
    return create(values);
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
    const message = `${limit.path}.algorithm is missing: write token-bucket or fixed-window`;
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
  for (const [name, setting] of Object.entries(settings)) {
    const field = fields.get(name);
    if (field === undefined) {
      file.report(file.valueNode(limit), `${limit.path}.${name} is missing: ${setting.missing}`);
      right = false;
    } else if (file.readValue(field, setting.check) === undefined) {
      right = false;
    } else {
      values[name] = file.readScalar(field);
    }
  }
  const name = fields.get("name");
  if (name !== undefined) {
    if (file.readValue(name, checkLimitName) === undefined) right = false;
    else values.name = file.readScalar(name);
  }
  return right ? values : undefined;
}

function checkLimitName(value: unknown): Checked<unknown> {
  return checkOption("name", () => fixedWindow({ limit: 1, window: "1s", name: value as string }));
}
