// Rules about one file: names, lengths, banned calls and words. Each returns what is wrong as sentences, or nothing.

import { readSource, withoutTypes } from "./source-text.ts";

const MAX_LINES = 400;
const MAX_FUNCTION_LINES = 70;
const MAX_COLUMNS = 120;

/** File and directory names are kebab-case, apart from those that tools prescribe. */
export function nameProblems(path: string): string[] {
  const prescribed =
    /^(README|ARCHITECTURE|CONTRIBUTING|SECURITY|CHANGELOG|LICENSE|NOTICE|Dockerfile)(\.md)?$/;
  return path
    .split("/")
    .filter((part) => !prescribed.test(part))
    .filter((part) => !/^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/.test(part))
    .filter((part) => !(path.endsWith(".proto") && /^[a-z0-9_]+\.proto$/.test(part)))
    .map((part) => `the name ${part} is not kebab-case`);
}

export function lengthProblems(text: string): string[] {
  const lines = text.trimEnd().split("\n");
  const long = lines.flatMap((line, index) =>
    line.length > MAX_COLUMNS
      ? [`line ${index + 1} has ${line.length} of ${MAX_COLUMNS} columns`]
      : [],
  );
  return lines.length > MAX_LINES ? [`${lines.length} of ${MAX_LINES} lines`, ...long] : long;
}

/** Bodies in braces, of functions, methods and arrows; not those that hold tests, which are lists and no steps. */
export function functionProblems(text: string): string[] {
  const { code } = withoutTypes(text);
  const open: { line: number; isFunction: boolean }[] = [];
  const problems: string[] = [];
  let line = 1;
  for (let at = 0; at < code.length; at += 1) {
    if (code[at] === "\n") line += 1;
    if (code[at] === "{") open.push({ line, isFunction: opensFunction(code, at) });
    if (
      /^(test|it|describe|suite)\(/.test(code.slice(at, at + 9)) &&
      !/[\w.]/.test(code[at - 1] ?? "")
    ) {
      for (const block of open) block.isFunction = false;
    }
    if (code[at] !== "}") continue;
    const block = open.pop();
    const lines = line - (block?.line ?? line) + 1;
    if (block?.isFunction && lines > MAX_FUNCTION_LINES) {
      problems.push(
        `the function at line ${block.line} has ${lines} of ${MAX_FUNCTION_LINES} lines`,
      );
    }
  }
  return problems;
}

function opensFunction(code: string, brace: number): boolean {
  const before = code.slice(0, brace).trimEnd();
  if (before.endsWith("=>")) return true;
  if (!before.endsWith(")")) return false;
  let depth = 0;
  let at = before.length - 1;
  for (; at >= 0; at -= 1) {
    if (before[at] === ")") depth += 1;
    if (before[at] === "(") depth -= 1;
    if (depth === 0) break;
  }
  const word = /(\w*)\s*$/.exec(before.slice(Math.max(0, at - 80), at))?.[1] ?? "";
  return !["if", "for", "await", "while", "switch", "catch", "with"].includes(word);
}

const CLOCKS_AND_CHANCE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/, "Date"],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, "a timer"],
  [/\bprocess\s*\.\s*nextTick\b/, "process.nextTick"],
  [/\bMath\s*\.\s*random\b/, "Math.random"],
  [/\b(randomBytes|randomInt|randomUUID|getRandomValues)\b/, "random numbers"],
  [/\bperformance\b/, "performance"],
  [/\bhrtime\b/, "process.hrtime"],
  [/\bAbortSignal\s*\.\s*timeout\b/, "AbortSignal.timeout"],
];
const TIMER_MODULES = /^(node:)?(timers(\/promises)?|perf_hooks)$/;

/** Where a file may not go for time, chance, its environment or the terminal: the scope's own, exempt, places. */
export function callProblems(path: string, text: string): string[] {
  const source = readSource(text);
  const problems: string[] = [];
  const forbid = (pattern: RegExp, what: string, where: string) => {
    const found = pattern.exec(source.code);
    if (found === null) return;
    const line = source.code.slice(0, found.index).split("\n").length;
    problems.push(`line ${line} uses ${what}, which only ${where} may`);
  };
  const [, scope, directory] = /^packages\/([^/]+)\/src\/(?:([^/]+)\/)?/.exec(path) ?? [];
  if (scope === undefined) return [];
  const isCommandLine = scope === "server" && directory === "cli";
  if (directory !== "runtime" && !isCommandLine) {
    for (const [pattern, what] of CLOCKS_AND_CHANCE)
      forbid(pattern, what, `packages/${scope}/src/runtime`);
    for (const { specifier } of importsOf(text)) {
      if (TIMER_MODULES.test(specifier))
        problems.push(`imports ${specifier}, which only runtime may`);
    }
  }
  if (!isCommandLine) {
    forbid(
      /\bprocess\s*\.\s*(env|argv|exit)\b/,
      "process.env, argv or exit",
      "packages/server/src/cli",
    );
    forbid(/\bconsole\b/, "console", "packages/server/src/cli");
    for (const { specifier } of importsOf(text)) {
      if (/^(node:)?process$/.test(specifier)) problems.push(`imports ${specifier}; only cli may`);
    }
  }
  return problems;
}

/** Tests advance a manual clock; those on real servers wait through one function, so that none sleeps blindly. */
export function sleepProblems(path: string, text: string): string[] {
  if (path === "test/support/eventually.ts" || !/(^|\/)test\//.test(path)) return [];
  const imported = importsOf(text).filter(({ specifier }) => TIMER_MODULES.test(specifier));
  const called = /\b(setTimeout|setInterval)\s*\(/.test(readSource(text).code);
  return imported.length > 0 || called
    ? ["waits by itself; use a manual clock, or eventually()"]
    : [];
}

/** Unfinished work is an issue, not a comment; a machine's path works nowhere else; a skipped test tests nothing. */
export function wordProblems(text: string): string[] {
  const words: readonly (readonly [RegExp, string])[] = [
    [/\b(TO[D]O|FIX[M]E|XX[X])\b/, "unfinished work"],
    [/(?<![\w.~:)-])\/(work|home|root|Users)\/[\w.-]+/, "a path of one machine"],
    [/\b(test|it|describe|suite)\.(skip|todo|only)\b/, "a test that does not run"],
  ];
  return words.flatMap(([pattern, what]) => {
    const found = pattern.exec(text);
    if (found === null) return [];
    const line = text.slice(0, found.index).split("\n").length;
    return [`line ${line} holds ${what}: ${found[0]}`];
  });
}

/** A file says what it is before its first code: at its top, or, where it holds one thing, on that thing. */
export function openingProblems(text: string): string[] {
  const rest = text.replace(/^#!.*\n/, "").replace(/^(\s*import\b[^;]*;)+/, "");
  return /^\s*\/[/*]/.test(rest) ? [] : ["does not open with a comment that says what it is"];
}

/** An import, an export from elsewhere, or a file named by URL. */
export interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}

export function importsOf(text: string): Import[] {
  const { uncommented, code } = readSource(text);
  const patterns = [
    /\b(?:import|export)\s+(type\s)?[\w\s{},*$]*?\bfrom\s*"([^"]+)"/g,
    /\bimport\s+()"([^"]+)"/g,
    /\b(?:import|require|import\.meta\.resolve)\(\s*()"([^"]+)"/g,
    /\bnew URL\(\s*()"(\.[^"]+)"/g,
  ];
  return patterns.flatMap((pattern) =>
    [...uncommented.matchAll(pattern)]
      // A match whose keyword is blank in `code` is itself inside a string.
      .filter((match) => code[match.index] !== " ")
      .map((match) => ({ specifier: match[2]!, isType: (match[1] ?? "") !== "" })),
  );
}

/** Exports are explicit and named. */
export function exportProblems(text: string): string[] {
  const { code } = readSource(text);
  return [
    ...(/\bexport\s*\*/.test(code) ? ["exports *; name what is exported"] : []),
    ...(/\bexport\s+default\b|\bas\s+default\b/.test(code) ? ["has a default export"] : []),
  ];
}
