// Reads a scenario from a YAML file. The library checks what it means; here each value keeps the place where it is
// written, so that what is wrong is said with line and column.

import { readFileSync } from "node:fs";
import type { Limit } from "tidegate";
import { checkScenario, type Scenario } from "tidegate/simulation";
import { isMap, isSeq } from "yaml";
import { createProblem, type Place, type Problem, sortProblems } from "../config/problem.ts";
import { readLimits } from "../config/read-limits.ts";
import { checkDuration } from "../config/values.ts";
import { type Field, YamlFile } from "../config/yaml-file.ts";
import { type LoadLog, replayLog, sayLogOptions } from "./replayed-logs.ts";

const EXAMPLE =
  "{ name: …, duration: 30s, nodes: { count: 5 }, traffic: […], configurations: {…} }";

/** Aliases may repeat what is written; a scenario has far fewer values than this. */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 8;

/** Keys whose values are durations, and so have a unit. */
const DURATIONS = new Set([
  ...["duration", "at", "for", "loses", "every", "from", "until"],
  ...["deadline", "syncInterval", "idTtl", "interval", "regionInterval"],
]);

/** A scenario that is right, and what there is to say of the logs that it replays. */
export interface ReadScenario {
  readonly scenario: Scenario;
  readonly notes: readonly string[];
}

/**
 * Reads the bytes of the file called `name`; returns a scenario that is right, or all that is wrong.
 * @param load returns the bytes of a log that the scenario replays; left out, the file that it names.
 */
export function readScenario(
  name: string,
  bytes: Uint8Array,
  load: LoadLog = readFileSync,
): ReadScenario | { readonly problems: readonly Problem[] } {
  const file = new YamlFile(name, bytes);
  if (file.root === null) return { problems: sayScenario(file.problems) };
  const reader = new ScenarioReader(file);
  const top = { path: "", name: "", key: file.root, value: file.root };
  const written = reader.read(top, "", 0) as Scenario;
  // Of what is no map there is nothing more to say.
  if (typeof written !== "object" || reader.isTooMuch) return { problems: file.problems };
  const notes: string[] = [];
  const value = reader.replayLogs(written, load, (note) => notes.push(note));
  const result = checkScenario(value);
  if ("checked" in result && file.problems.length === 0) return { scenario: value, notes };
  const found = "problems" in result ? result.problems : [];
  const problems = found
    .filter(({ field }) => !reader.wrong.has(field))
    .map(({ field, message }) =>
      createProblem(sayLogOptions(sayNothing(message)), reader.placeOf(field, message)),
    );
  return { problems: sortProblems([...file.problems, ...problems]) };
}

/** What a file leaves out is nothing, and not undefined. */
function sayNothing(message: string): string {
  return message.replace(/, got (undefined|null)(?=$| \()/, ", got nothing");
}

/** The configuration's reader says of an empty file what a configuration needs. */
function sayScenario(problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => {
    return problem.message.startsWith("the file is empty")
      ? { ...problem, message: `the file is empty: write a scenario such as ${EXAMPLE}` }
      : problem;
  });
}

class ScenarioReader {
  readonly #file: YamlFile;
  readonly #fields = new Map<string, Field>();
  readonly #limits = new Map<object, readonly Limit[] | undefined>();
  #values = 0;
  /** Paths of which it was said already that they are wrong. */
  readonly wrong = new Set<string>();
  isTooMuch = false;

  constructor(file: YamlFile) {
    this.#file = file;
  }

  /** Where a path is written, or the nearest above it that is; an unknown key, and not its value. */
  placeOf(path: string, message: string): Place {
    for (let known = path; known !== ""; known = parentOf(known)) {
      const field = this.#fields.get(known);
      if (field === undefined) continue;
      const node = message.startsWith("unknown") ? field.key : this.#file.valueNode(field);
      return this.#file.place(node);
    }
    return this.#file.place(this.#file.root!);
  }

  /** Puts the requests of logs into the traffic. */
  replayLogs(scenario: Scenario, load: LoadLog, note: (text: string) => void): Scenario {
    const { traffic } = scenario;
    if (!Array.isArray(traffic)) return scenario;
    const wrong = (path: string, message: string) => {
      this.#file.problems.push(createProblem(message, this.placeOf(path, message)));
    };
    const replayed = traffic.map((stream, index) => {
      if (typeof stream !== "object" || stream === null) return stream;
      return replayLog(stream, `traffic[${index}]`, load, { wrong, note });
    });
    return { ...scenario, traffic: replayed };
  }

  /** Turns what is written into what the library takes. */
  read(field: Field, path: string, depth: number): unknown {
    this.#fields.set(path, field);
    this.#values += 1;
    if (this.#values > MAX_VALUES || depth > MAX_DEPTH) {
      const message = "the file has more values, or deeper ones, than a scenario may have";
      if (!this.isTooMuch) this.#file.report(field.key, message);
      this.isTooMuch = true;
      return undefined;
    }
    if (/^configurations\..*\.limits$/.test(path)) {
      const limits = this.#readLimits(field);
      if (limits === undefined) this.wrong.add(path);
      return limits;
    }
    const node = this.#file.resolve(field.value);
    if (isMap(node)) return this.#readMap(field, path, depth);
    if (isSeq(node)) {
      return this.#file.readList(field, "a list")!.map((item, index) => {
        return this.read(item, `${path}[${index}]`, depth + 1);
      });
    }
    const value = this.#file.readScalar(field);
    if (path === "") this.#file.readMap(field, undefined, EXAMPLE);
    else if (typeof value === "number" && value !== 0 && DURATIONS.has(field.name)) {
      const checked = checkDuration(value);
      if (!("wrong" in checked)) return value;
      this.#file.report(field.key, `${path} ${checked.wrong}`);
      this.wrong.add(path);
      return undefined;
    }
    return value ?? undefined;
  }

  /** Limits that several configurations refer to are read, and what is wrong with them is said, once. */
  #readLimits(field: Field): readonly Limit[] | undefined {
    const node = this.#file.valueNode(field);
    if (!this.#limits.has(node)) this.#limits.set(node, readLimits(this.#file, field));
    return this.#limits.get(node);
  }

  #readMap(field: Field, path: string, depth: number): object {
    const fields = this.#file.readMap(field, undefined, EXAMPLE)!;
    const entries = Array.from(fields, ([name, inner]) => {
      return [name, this.read(inner, path === "" ? name : `${path}.${name}`, depth + 1)] as const;
    });
    return Object.fromEntries(entries);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));
}
