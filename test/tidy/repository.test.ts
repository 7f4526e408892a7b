// Holds the repository to its own rules. What each rule means, and that it can fail, is in the rules' tests beside it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { columnProblems, commandProblems, linkProblems } from "./document-rules.ts";
import {
  callProblems,
  exportProblems,
  functionProblems,
  lengthProblems,
  nameProblems,
  openingProblems,
  sleepProblems,
  wordProblems,
} from "./file-rules.ts";
import {
  cycleProblems,
  deadFiles,
  directionProblems,
  doorProblems,
  doorsOf,
  type Manifest,
  missingFiles,
  undeclaredPackages,
} from "./import-rules.ts";
import { allFiles, exists, read } from "./repository-files.ts";

const files = allFiles();
const isSource = (path: string) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path);
const isCode = (path: string) => /\.(ts|mjs|js)$/.test(path);
const isTypeScript = (path: string) => path.endsWith(".ts");
const isText = (path: string) =>
  /\.(ts|mjs|js|lua|proto|md|json|ya?ml)$/.test(path) && !path.endsWith("package-lock.json");
const packages = ["packages/tidegate", "packages/server"];
const manifestOf = (directory: string): Manifest => JSON.parse(read(`${directory}/package.json`));

function holds(
  name: string,
  paths: readonly string[],
  problemsOf: (path: string, text: string) => string[],
): void {
  test(name, () => {
    assert.ok(paths.length > 0, "the rule has files to look at");
    const problems = paths.flatMap((path) =>
      problemsOf(path, read(path)).map((problem) => `${path}: ${problem}`),
    );
    assert.deepEqual(problems, []);
  });
}

holds("names are kebab-case", files, nameProblems);
holds(
  "files and lines are short",
  files.filter((path) => isCode(path) || /\.(lua|proto)$/.test(path)),
  (_path, text) => lengthProblems(text),
);
holds("functions are short", files.filter(isTypeScript), (_path, text) => functionProblems(text));
holds(
  "time, chance, environment and terminal stay in their places",
  files.filter(isSource),
  callProblems,
);
holds("tests do not sleep", files.filter(isTypeScript), sleepProblems);
holds("exports are explicit and named", files.filter(isSource), (_path, text) =>
  exportProblems(text),
);
holds("sources open with what they are", files.filter(isSource), (_path, text) =>
  openingProblems(text),
);
holds(
  "nothing is left unfinished, skipped or tied to one machine",
  files.filter(isText),
  (_path, text) => wordProblems(text),
);
holds("imports point down", files.filter(isCode), directionProblems);

test("no file is missing, and none imports itself by a detour", () => {
  const sources = new Map(files.filter(isCode).map((path) => [path, read(path)]));
  assert.deepEqual(missingFiles(sources, exists), []);
  assert.deepEqual(cycleProblems(sources), []);
});

for (const directory of packages) {
  const manifest = manifestOf(directory);
  const own = files.filter((path) => path.startsWith(`${directory}/`));
  const relative = own.map((path) => path.replace(directory, "."));

  test(`${directory}: the doors are the exports`, () => {
    assert.deepEqual(doorProblems(manifest, relative), []);
  });

  test(`${directory}: every source is reached from a door or a command`, () => {
    const kept = own.filter(
      (path) => path.startsWith(`${directory}/src/`) || path.startsWith(`${directory}/bin/`),
    );
    const sources = new Map(kept.map((path) => [path, read(path)]));
    const entries = [...doorsOf(manifest), ...Object.values(manifest.bin ?? {})];
    const doors = entries.map((entry) => `${directory}/${entry.replace(/^\.\//, "")}`);
    assert.deepEqual(deadFiles(doors, sources), []);
  });

  holds(`${directory}: what is imported is declared`, own.filter(isSource), (_path, text) =>
    undeclaredPackages(text, manifest),
  );
}

const referable = { exists, read, scripts: Object.keys(manifestOf(".").scripts ?? {}) };
const documents = files.filter((path) => path.endsWith(".md"));
holds("links in documents lead somewhere", documents, (path, text) =>
  linkProblems(path, text, referable),
);
holds("commands and files that documents quote exist", documents, (_path, text) =>
  commandProblems(text, referable),
);
holds("lines of prose are short", documents, (_path, text) => columnProblems(text));
