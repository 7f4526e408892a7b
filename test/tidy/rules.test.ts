// Every rule of tidy fails on what it forbids, and holds on what it allows: none is vacuous.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { anchorsOf, columnProblems, commandProblems, linkProblems } from "./document-rules.ts";
import {
  callProblems,
  exportProblems,
  functionProblems,
  importsOf,
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
  LAYERS,
  missingFiles,
  undeclaredPackages,
} from "./import-rules.ts";
import { readSource } from "./source-text.ts";

const library = (path: string) => `packages/tidegate/src/${path}`;
const server = (path: string) => `packages/server/src/${path}`;

/** Cases of a rule: name, what it is given, and how many problems it finds. */
function cases(rows: readonly (readonly [string, () => string[], number])[]): void {
  for (const [name, problems, count] of rows) {
    test(name, () =>
      assert.equal(problems().length, count, problems().join("\n") || "no problems"),
    );
  }
}

describe("source text", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["a // Date\nb", "a        \nb"],
    ["a /* Date\n x */ b", "a        \n      b"],
    ['f("Date // x") + 1', "f(           ) + 1"],
    [`\`a \${b + \`c \${d}\` } e\` + f`, "     b +      d        + f"],
    ["a / b / c", "a / b / c"],
    ['x = /[/]"/.test(y)', "x =       .test(y)"],
    ["return /'/g", "return    g"],
    ["'it\\'s' + a", "        + a"],
    ["(a + b) / 2 // x", "(a + b) / 2     "],
  ];
  for (const [text, code] of rows) {
    test(JSON.stringify(text), () => assert.equal(readSource(text).code, code));
  }
  test("strings stay where only comments go", () => {
    assert.equal(readSource('"a" // b').uncommented, '"a"     ');
  });
});

describe("names", () => {
  cases([
    ["kebab-case", () => nameProblems("packages/a/src/token-bucket.test.ts"), 0],
    ["prescribed", () => nameProblems("packages/a/README.md"), 0],
    ["hidden", () => nameProblems(".ci/run"), 0],
    ["a proto's own style", () => nameProblems("proto/tidegate/v1/rate_limiter.proto"), 0],
    ["camelCase", () => nameProblems("src/tokenBucket.ts"), 1],
    ["snake_case", () => nameProblems("src/token_bucket.ts"), 1],
    ["a directory", () => nameProblems("src/Stores/memory.ts"), 1],
  ]);
});

describe("lengths", () => {
  const body = (lines: number) => `{\n${"  a();\n".repeat(lines - 2)}}`;
  cases([
    ["400 lines", () => lengthProblems("a\n".repeat(400)), 0],
    ["401 lines", () => lengthProblems("a\n".repeat(401)), 1],
    ["120 columns", () => lengthProblems("a".repeat(120)), 0],
    ["121 columns", () => lengthProblems("a".repeat(121)), 1],
    ["a function of 70", () => functionProblems(`function f(): void ${body(70)}`), 0],
    ["a function of 71", () => functionProblems(`function f(): void ${body(71)}`), 1],
    ["an arrow of 71", () => functionProblems(`const f = (a: string): void => ${body(71)}`), 1],
    ["a method of 71", () => functionProblems(`class A {\n  f() ${body(71)}\n}`), 1],
    [
      "a class of 71",
      () => functionProblems("class A {\n  f() {\n  }\n".concat("  g;\n".repeat(70), "}")),
      0,
    ],
    ["a loop of 71 at the top", () => functionProblems(`for (const a of b()) ${body(71)}`), 0],
    [
      "a list of tests",
      () => functionProblems(`f(() => {\n${'  test("a", g);\n'.repeat(80)}});`),
      0,
    ],
    ["a test of 71", () => functionProblems(`test("a", () => ${body(71)});`), 1],
    [
      "a regular expression's test()",
      () => functionProblems(`function f() {\n${"  /a/.test(b);\n".repeat(70)}}`),
      1,
    ],
  ]);
});

describe("calls", () => {
  const banned = [
    "Date.now()",
    "new Date()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "setImmediate(f)",
    "queueMicrotask(f)",
    "process.nextTick(f)",
    "Math.random()",
    "performance.now()",
    "process.hrtime.bigint()",
    "randomUUID()",
    "AbortSignal.timeout(5)",
    'import { setTimeout as wait } from "node:timers/promises";',
  ];
  for (const text of banned) {
    test(text, () => {
      assert.notEqual(callProblems(library("stores/memory.ts"), text).length, 0);
      assert.notEqual(callProblems(server("http/routes.ts"), text).length, 0);
      assert.deepEqual(callProblems(library("runtime/system-clock.ts"), text), []);
      assert.deepEqual(callProblems(server("runtime/timers.ts"), text), []);
      assert.deepEqual(callProblems(library("stores/memory.ts"), `// ${text}`), []);
    });
  }
  const ofCommands = [
    "process.env.A",
    "process.exit(1)",
    "console.log(a)",
    'import { env } from "node:process";',
  ];
  for (const text of ofCommands) {
    test(text, () => {
      assert.equal(callProblems(library("runtime/warnings.ts"), text).length, 1);
      assert.equal(callProblems(server("service.ts"), text).length, 1);
      assert.deepEqual(callProblems(server("cli/main.ts"), text), []);
    });
  }
  cases([
    ["a test that sleeps", () => sleepProblems("packages/a/test/a.test.ts", "setTimeout(f, 5)"), 1],
    [
      "or imports to",
      () => sleepProblems("test/a.test.ts", 'import { a } from "node:timers/promises";'),
      1,
    ],
    ["eventually()", () => sleepProblems("test/support/eventually.ts", "setTimeout(f, 5)"), 0],
    ["setImmediate, no time", () => sleepProblems("test/a.test.ts", "setImmediate(f)"), 0],
  ]);
});

describe("words, openings and exports", () => {
  cases([
    ["unfinished work", () => wordProblems(`// ${"TO"}${"DO"}: later`), 1],
    ["a machine's path", () => wordProblems(`see ${"/ho"}me/ann/tidegate`), 1],
    ["a skipped test", () => wordProblems(`test.${"skip"}("a", f)`), 1],
    [
      "ordinary words",
      () => wordProblems("test(a); // to do, at home/work; https://a.b/home/c"),
      0,
    ],
    ["no opening", () => openingProblems('import a from "b";\nexport const c = 1;'), 1],
    ["at the top", () => openingProblems('// What it is.\nimport a from "b";'), 0],
    [
      "on the one thing",
      () => openingProblems('import type { A } from "b";\n\n/** Does c. */\nexport const c = 1;'),
      0,
    ],
    ["a star", () => exportProblems('export * from "./a.ts";'), 1],
    ["a default", () => exportProblems("export default 1;"), 1],
    ["a default by name", () => exportProblems('export { a as default } from "./a.ts";'), 1],
    ["names", () => exportProblems('export { a, type B } from "./a.ts";'), 0],
  ]);
});

test("imports are found in all their forms, and in code only", () => {
  const text = [
    'import type { A } from "a";',
    'import b, { type B } from "./b.ts";',
    'import "c";',
    "export {\n  d,\n} from './not-double-quoted';",
    'export { e } from "e";',
    'const f = await import("f"); require("g");',
    'new URL("./h.lua", import.meta.url); // import "comment"',
    "const s = 'import \"string\"';",
  ].join("\n");
  const found = importsOf(text).map(({ specifier }) => specifier);
  assert.deepEqual(found.sort(), ["./b.ts", "./h.lua", "a", "c", "e", "f", "g"]);
});

describe("directions", () => {
  const from = (path: string, specifier: string) => () =>
    directionProblems(path, `import { a } from "${specifier}";`);
  cases([
    ["algorithms → algorithms", from(library("algorithms/a.ts"), "./b.ts"), 0],
    ["algorithms → policy", from(library("algorithms/a.ts"), "../policy/policy.ts"), 1],
    ["algorithms → errors", from(library("algorithms/a.ts"), "../errors.ts"), 1],
    ["algorithms → Node", from(library("algorithms/a.ts"), "node:fs"), 1],
    ["policy → algorithms", from(library("policy/a.ts"), "../algorithms/b.ts"), 0],
    ["policy → ports", from(library("policy/a.ts"), "../ports/clock.ts"), 1],
    ["policy → limiter", from(library("policy/a.ts"), "../limiter.ts"), 1],
    ["ports → decision", from(library("ports/a.ts"), "../decision.ts"), 0],
    ["ports → runtime", from(library("ports/a.ts"), "../runtime/system-clock.ts"), 1],
    ["runtime → stores", from(library("runtime/a.ts"), "../stores/memory.ts"), 1],
    ["stores → runtime", from(library("stores/a.ts"), "../runtime/system-clock.ts"), 0],
    ["stores → coordination", from(library("stores/a.ts"), "../coordination/local.ts"), 1],
    ["memory → redis", from(library("stores/memory.ts"), "./redis/redis-store.ts"), 1],
    ["redis → memory", from(library("stores/redis/a.ts"), "../memory.ts"), 1],
    ["redis → ioredis", from(library("stores/redis/a.ts"), "ioredis"), 0],
    ["memory → ioredis", from(library("stores/memory.ts"), "ioredis"), 1],
    ["coordination → stores", from(library("coordination/a.ts"), "../stores/memory.ts"), 1],
    ["coordination → runtime", from(library("coordination/a.ts"), "../runtime/system-clock.ts"), 1],
    ["resilience → coordination", from(library("resilience/a.ts"), "../coordination/local.ts"), 1],
    ["createLimiter → stores", from(library("create-limiter.ts"), "./stores/memory.ts"), 0],
    [
      "createLimiter → middleware",
      from(library("create-limiter.ts"), "./middleware/express.ts"),
      1,
    ],
    [
      "middleware → createLimiter",
      from(library("middleware/express.ts"), "../create-limiter.ts"),
      1,
    ],
    ["middleware → its framework", from(library("middleware/express.ts"), "express"), 0],
    ["shared middleware → a framework", from(library("middleware/misuse.ts"), "express"), 1],
    ["shared middleware → express.ts", from(library("middleware/misuse.ts"), "./express.ts"), 1],
    ["a folder of no layer", from(library("misc/a.ts"), "../errors.ts"), 1],
    ["out of the package", from(library("errors.ts"), "../../server/src/service.ts"), 1],
    ["server → a door", from(server("service.ts"), "tidegate/redis"), 0],
    ["server → another path", from(server("service.ts"), "tidegate/stores/memory"), 1],
    ["server → sources", from(server("service.ts"), "../../tidegate/src/limiter.ts"), 1],
    ["server → command line", from(server("service.ts"), "./cli/main.ts"), 1],
    ["bench → sources", from("bench/src/main.ts", "../../packages/tidegate/src/limiter.ts"), 1],
    ["bench → a door", from("bench/src/main.ts", "tidegate"), 0],
    [
      "a document's tool → sources",
      from("docs/pictures/a.ts", "../../packages/tidegate/src/limiter.ts"),
      1,
    ],
  ]);
  test("no layer but the top ones may import middleware", () => {
    const may = LAYERS.filter(({ may: below }) =>
      below.some((path) => path.startsWith("middleware/")),
    );
    assert.deepEqual(
      may.flatMap(({ files }) => files),
      ["middleware/express", "index.ts"],
    );
  });
});

describe("files together", () => {
  const sources = new Map([
    ["a/door.ts", 'export { b } from "./b.ts";'],
    ["a/b.ts", 'import type { C } from "./c.ts";\nnew URL("./b.lua", import.meta.url);'],
    ["a/c.ts", 'import { b } from "./b.ts";'],
    ["a/b.lua", "return 1"],
    ["a/dead.ts", "export const a = 1;"],
  ]);
  const acyclic = new Map([...sources, ["a/c.ts", ""]]);
  const exists = (path: string) => sources.has(path);
  cases([
    ["a cycle", () => cycleProblems(sources), 1],
    ["no cycle", () => cycleProblems(acyclic), 0],
    ["a dead file", () => deadFiles(["a/door.ts"], sources), 1],
    ["none dead", () => deadFiles(["a/door.ts", "a/dead.ts"], sources), 0],
    ["a missing file", () => missingFiles(new Map([["a/x.ts", 'import "./y.ts";']]), exists), 1],
    ["none missing", () => missingFiles(sources, exists), 0],
    [
      "an undeclared package",
      () => undeclaredPackages('import a from "@b/c/d";', { name: "a" }),
      1,
    ],
    [
      "declared packages",
      () =>
        undeclaredPackages(
          'import a from "@b/c/d";\nimport "e";\nimport "node:fs";\nimport "./f.ts";',
          {
            name: "a",
            dependencies: { "@b/c": "1" },
            peerDependencies: { e: "1" },
          },
        ),
      0,
    ],
  ]);
});

describe("doors", () => {
  const door = (path: string, built = path) => ({
    "@tidegate/source": `./src/${path}.ts`,
    types: `./dist/${built}.d.ts`,
    default: `./dist/${built}.js`,
  });
  const files = ["./src/index.ts", "./src/a.ts", "./package.json"];
  const problems = (exports: Record<string, string | Record<string, string>>, present = files) =>
    doorProblems({ name: "a", exports }, present);
  const reordered = (target: Record<string, string>) =>
    Object.fromEntries(Object.entries(target).reverse());
  const sound = { ".": door("index"), "./package.json": "./package.json" };
  cases([
    ["sound", () => problems(sound), 0],
    ["a source that is not there", () => problems({ ...sound, "./b": door("b") }), 1],
    ["a build of something else", () => problems({ ...sound, "./a": door("a", "b") }), 1],
    ["types that come last", () => problems({ ".": reordered(door("index")) }), 1],
    ["a file that is not there", () => problems({ ...sound, "./c.proto": "./c.proto" }), 1],
    ["an index without an export", () => problems(sound, [...files, "./src/stores/index.ts"]), 1],
  ]);
});

describe("documents", () => {
  const texts = new Map([
    ["docs/a.md", "# A\n\n## What is `b`, and why?\n\n## Twice\n\n## Twice\n"],
  ]);
  const referable = {
    exists: (path: string) => texts.has(path) || path === "scripts/start.mjs",
    read: (path: string) => texts.get(path)!,
    scripts: ["start", "bench"],
  };
  const links = (text: string) => () => linkProblems("docs/b.md", text, referable);
  const commands = (text: string) => () => commandProblems(text, referable);
  const columns = (text: string) => () => columnProblems(text);
  const long = "a".repeat(121);
  cases([
    ["a file", links("[a](a.md) and [a](../docs/a.md)"), 0],
    ["no file", links("[a](c.md)"), 1],
    ["a picture that is not there", links("![a](c.svg)"), 1],
    ["a definition", links("[a]: c.md"), 1],
    ["an anchor", links("[a](a.md#what-is-b-and-why) [b](a.md#twice-1)"), 0],
    ["no anchor", links("[a](a.md#c)"), 1],
    ["its own anchor", links("# Here\n[a](#here)"), 0],
    ["not its own anchor", links("# Here\n[a](#there)"), 1],
    ["elsewhere", links("[a](https://example.com/c.md)"), 0],
    ["code", links("`[a](c.md)`\n```\n[a](c.md)\n```\n"), 0],
    ["a script", commands("`npm start` and\n```\nnpm run bench\n```\n"), 0],
    ["no script", commands("`npm run fly`"), 1],
    ["no script, fenced", commands("```\nnpm test\n```\n"), 1],
    ["a file to run", commands("`node scripts/start.mjs`"), 0],
    ["no file to run", commands("```\nnode --conditions=a scripts/stop.mjs\n```\n"), 1],
    ["a path", commands("`scripts/start.mjs`"), 0],
    ["no path", commands("`scripts/stop.mjs`"), 1],
    ["prose of 120 columns", columns("é".repeat(120)), 0],
    ["prose of 121", columns(`short\n\n- ${long}\n\n${long}`), 2],
    ["a row of a table", columns(`| ${long} |`), 0],
    ["code", columns(`\`\`\`sh\n${long}\n\`\`\`\n   ~~~\n\`\`\`\n${long}\n   ~~~\n`), 0],
    ["prose after code", columns(`\`\`\`\n\`\`\`\n${long}`), 1],
    ["a picture", columns(`![${long}](a.svg)`), 0],
    ["prose beside a picture", columns(`![${long}](a.svg) and`), 1],
    ["where a link goes", columns(`[a](${long}) and https://example.com/${long}`), 0],
    ["what a link says", columns(`[${long}](a.md)`), 1],
  ]);
  test("anchors are those of GitHub", () => {
    assert.deepEqual(anchorsOf(texts.get("docs/a.md")!), [
      "a",
      "what-is-b-and-why",
      "twice",
      "twice-1",
    ]);
  });
});
